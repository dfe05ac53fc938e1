import { isEqualSemantically } from '../equal.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { qualifiedName } from '../names.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { boolean, list, map, object, oneOf, required, string } from '../schema.ts';
import { isDefaultClass } from '../storage-class.ts';
import { ageColumn } from '../table.ts';

export const topologySelectorLabelRequirement = object(
  'io.k8s.api.core.v1.TopologySelectorLabelRequirement',
  {
    key: required(string({ doc: 'The label.' })),
    values: required(list(string(), { doc: 'The values that it may have.' })),
  },
);

export const topologySelectorTerm = object(
  'io.k8s.api.core.v1.TopologySelectorTerm',
  { matchLabelExpressions: list(topologySelectorLabelRequirement, { doc: 'All must hold.' }) },
  { listType: 'atomic' },
);

const schema = kindSchema(
  'io.k8s.api.storage.v1.StorageClass',
  { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' },
  {
    allowVolumeExpansion: boolean({ doc: 'Whether claims may grow.' }),
    allowedTopologies: list(topologySelectorTerm, { doc: 'On which nodes volumes may be made.' }),
    mountOptions: list(string(), { doc: 'Options of the mounts.' }),
    parameters: map(string(), { doc: 'What the provisioner should know.' }),
    provisioner: required(string({ doc: 'Who makes the volumes.', check: checkProvisioner })),
    reclaimPolicy: oneOf(['Delete', 'Retain'], {
      doc: 'What becomes of a volume when its claim is gone.',
      default: 'Delete',
    }),
    volumeBindingMode: oneOf(['Immediate', 'WaitForFirstConsumer'], {
      doc: 'Whether a claim gets its volume at once, or when a pod that uses it is placed.',
      default: 'Immediate',
    }),
  },
  'StorageClass says who makes volumes for claims, and how.',
);

export interface StorageClass extends ObjectOf<typeof schema> {}

export const storageClass = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
  schema,
  columns: [
    {
      name: 'Name',
      format: 'name',
      doc: 'Its name, and whether it is the default.',
      value: (object) => `${object.metadata?.name ?? ''}${isDefaultClass(object) ? ' (default)' : ''}`,
    },
    { name: 'Provisioner', doc: 'Who makes the volumes.', value: ({ provisioner }) => provisioner },
    {
      name: 'ReclaimPolicy',
      doc: 'What becomes of a volume when its claim is gone.',
      value: ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    },
    {
      name: 'VolumeBindingMode',
      doc: 'When a claim gets its volume.',
      value: ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate',
    },
    {
      name: 'AllowVolumeExpansion',
      doc: 'Whether claims may grow.',
      value: ({ allowVolumeExpansion }) => String(allowVolumeExpansion ?? false),
    },
    ageColumn,
  ],
  checkUpdate(next, previous, report, root) {
    const fixed = (field: 'parameters' | 'provisioner' | 'reclaimPolicy') => {
      if (isEqualSemantically(next[field], previous[field])) return;
      report.forbidden(root.child(field), `updates to ${field} are forbidden.`);
    };
    for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) fixed(field);
    immutable(next.volumeBindingMode, previous.volumeBindingMode, root.child('volumeBindingMode'), report);
  },
});

function checkProvisioner(provisioner: string, at: Path, report: Report): void {
  for (const wrong of qualifiedName(provisioner.toLowerCase())) report.invalid(at, provisioner, wrong);
}
