import { follows } from '../checks.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Subdomain } from '../names.ts';
import { labelSelector } from '../parts/meta.ts';
import { compareQuantities } from '../quantity.ts';
import { quantity, refine, required, string } from '../schema.ts';
import { plainColumns } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.storage.v1.CSIStorageCapacity',
  { apiVersion: 'storage.k8s.io/v1', kind: 'CSIStorageCapacity' },
  {
    capacity: quantity({
      doc: 'How much is left.',
      check(value, at, report) {
        if (compareQuantities(value, '0') < 0) {
          report.invalid(at, value, 'must be greater than or equal to 0');
        }
      },
    }),
    maximumVolumeSize: quantity({ doc: 'The largest volume that can be made.' }),
    nodeTopology: refine(labelSelector, {
      doc: 'The nodes that can reach it; never changes.',
      checkUpdate: immutable,
    }),
    storageClassName: required(
      string({
        doc: 'The StorageClass that it is about; never changes.',
        default: '',
        mayBeEmpty: true,
        check: follows(dns1123Subdomain),
        checkUpdate: immutable,
      }),
    ),
  },
  'CSIStorageCapacity says how much a driver can still provide of a StorageClass, and where.',
);

export interface CSIStorageCapacity extends ObjectOf<typeof schema> {}

export const csiStorageCapacity = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  namespaced: true,
  schema,
  columns: plainColumns,
});
