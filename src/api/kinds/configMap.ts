import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { checkConfigEntries, checkFrozen } from '../parts/entries.ts';
import { boolean, bytes, map, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.ConfigMap',
  { apiVersion: 'v1', kind: 'ConfigMap' },
  {
    binaryData: map(bytes(), { doc: 'Entries with bytes, in base64.' }),
    data: map(string(), { doc: 'Entries with text.' }),
    immutable: boolean({ doc: 'Whether its content can never change again.' }),
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
  check: checkConfigEntries,
  checkUpdate: checkFrozen('data', 'binaryData'),
  columns: [
    nameColumn,
    {
      name: 'Data',
      doc: 'How many entries it has.',
      value: ({ data, binaryData }) => Object.keys({ ...data, ...binaryData }).length,
    },
    ageColumn,
  ],
});
