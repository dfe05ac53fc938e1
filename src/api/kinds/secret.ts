import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { boolean, bytes, map, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.Secret',
  { apiVersion: 'v1', kind: 'Secret' },
  {
    data: map(bytes()),
    immutable: boolean(),
    stringData: map(string()),
    type: string(),
  },
  'Secret holds a small amount of confidential data. It is encrypted where it is stored.',
);

export interface Secret extends ObjectOf<typeof schema> {}

export const secret = defineKind<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  schema,
  columns: [
    nameColumn,
    { name: 'Type', doc: 'What it is for.', value: (secret) => secret.type ?? '' },
    {
      name: 'Data',
      type: 'integer',
      doc: 'How many entries it has.',
      value: (secret) => Object.keys(secret.data ?? {}).length,
    },
    ageColumn,
  ],
  selectableFields: { type: (secret) => secret.type ?? '' },
});
