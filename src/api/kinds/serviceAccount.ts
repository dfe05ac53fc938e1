import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { localObjectReference, objectReference } from '../parts/meta.ts';
import { boolean, keyedList, list } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.ServiceAccount',
  { apiVersion: 'v1', kind: 'ServiceAccount' },
  {
    automountServiceAccountToken: boolean({ doc: 'Whether its pods get its token.' }),
    imagePullSecrets: list(localObjectReference, { doc: 'Secrets that its pods pull images with.' }),
    secrets: keyedList(['name'], objectReference, { doc: 'Secrets that its pods may use.' }),
  },
  'ServiceAccount is an identity that pods run under.',
);

export interface ServiceAccount extends ObjectOf<typeof schema> {}

export const serviceAccount = defineKind<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  schema,
  columns: [
    nameColumn,
    {
      name: 'Secrets',
      doc: 'How many secrets its pods may use.',
      value: (account) => account.secrets?.length ?? 0,
    },
    ageColumn,
  ],
});
