import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { boolean, bytes, map, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.ConfigMap',
  { apiVersion: 'v1', kind: 'ConfigMap' },
  {
    binaryData: map(bytes()),
    data: map(string()),
    immutable: boolean(),
  },
  'ConfigMap holds configuration for pods to read.',
);

export interface ConfigMap extends ObjectOf<typeof schema> {}

export const configMap = defineKind<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  namespaced: true,
  schema,
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'integer',
      doc: 'How many entries it has.',
      value: ({ data, binaryData }) => Object.keys({ ...data, ...binaryData }).length,
    },
    ageColumn,
  ],
});
