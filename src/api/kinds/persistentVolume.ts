import { follows } from '../checks.ts';
import { persistentVolumeColumns } from '../columns/storage.ts';
import { isEqualSemantically } from '../equal.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Subdomain } from '../names.ts';
import { nodeSelector } from '../parts/affinity.ts';
import { objectReference } from '../parts/meta.ts';
import { persistentVolumeSources } from '../parts/persistentVolumeSource.ts';
import { checkAccessModes, volumeMode } from '../parts/volumeClaim.ts';
import type { Path } from '../path.ts';
import { compareQuantities, quantityValue } from '../quantity.ts';
import { GoText, type Report } from '../report.ts';
import { list, map, object, oneOf, quantity, refine, string, type TypeOf, time } from '../schema.ts';

export const volumeNodeAffinity = object(
  'io.k8s.api.core.v1.VolumeNodeAffinity',
  { required: refine(nodeSelector, { doc: 'Nodes from which the volume can be reached.' }) },
  {
    check({ required }, at, report) {
      if (!required) report.required(at.child('required'), 'must specify required node constraints');
    },
  },
);

const fields = object('io.k8s.api.core.v1.PersistentVolumeSpec', {
  accessModes: list(string(), { doc: 'How it can be mounted, e.g. ReadWriteOnce.' }),
  capacity: map(quantity(), { doc: 'How large it is, as storage: 1Gi.' }),
  claimRef: refine(objectReference, { doc: 'The claim that it is bound to, or kept for.' }),
  mountOptions: list(string(), { doc: 'Options of the mount.' }),
  nodeAffinity: refine(volumeNodeAffinity, { doc: 'From which nodes it can be reached.' }),
  persistentVolumeReclaimPolicy: oneOf(['Delete', 'Recycle', 'Retain'], {
    doc: 'What becomes of it when its claim is gone.',
    default: 'Retain',
  }),
  storageClassName: string({
    doc: 'Its StorageClass.',
    check: (name, at, report) => {
      if (name !== '') follows(dns1123Subdomain)(name, at, report);
    },
  }),
  volumeAttributesClassName: string({ doc: 'Its VolumeAttributesClass.' }),
  volumeMode,
  ...persistentVolumeSources,
});
export type PersistentVolumeSpec = TypeOf<typeof fields>;

export const persistentVolumeSpec = refine(fields, { check: checkSpec, checkUpdate: checkSpecUpdate });

export const persistentVolumeStatus = object('io.k8s.api.core.v1.PersistentVolumeStatus', {
  lastPhaseTransitionTime: time({ doc: 'When the phase changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  phase: oneOf(['Pending', 'Available', 'Bound', 'Released', 'Failed'], {
    doc: 'Whether it is free, bound, or left by its claim.',
    default: 'Pending',
  }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
});
export type PersistentVolumeStatus = TypeOf<typeof persistentVolumeStatus>;

const schema = kindSchema(
  'io.k8s.api.core.v1.PersistentVolume',
  { apiVersion: 'v1', kind: 'PersistentVolume' },
  {
    spec: refine(persistentVolumeSpec, { default: {} }),
    status: refine(persistentVolumeStatus, { default: {} }),
  },
  'PersistentVolume is a piece of storage that outlives the pods that use it.',
);

export interface PersistentVolume extends ObjectOf<typeof schema> {}

export const persistentVolume = defineKind<PersistentVolume>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  namespaced: false,
  countsGenerations: false,
  schema,
  subresources: { status: true },
  columns: persistentVolumeColumns,
  selectableFields: { name: ({ metadata }) => metadata?.name ?? '' },
});

const sourceNames = Object.keys(persistentVolumeSources) as (keyof typeof persistentVolumeSources)[];

function checkSpec(spec: PersistentVolumeSpec, at: Path, report: Report): void {
  const modesAt = at.child('accessModes');
  if (!spec.accessModes?.length) report.required(modesAt);
  checkAccessModes(spec.accessModes ?? [], modesAt, report);
  checkCapacity(spec.capacity, at.child('capacity'), report);
  const sources = sourceNames.filter((name) => spec[name] !== undefined);
  if (sources.length === 0) report.required(at, 'must specify a volume type');
  for (const source of sources.slice(1)) {
    report.forbidden(at.child(source), 'may not specify more than 1 volume type');
  }
  if (spec.local && !spec.nodeAffinity) {
    report.required(at.child('nodeAffinity'), 'Local volume requires node affinity');
  }
  checkHostPath(spec, at, report);
}

function checkCapacity(capacity: Record<string, string> | undefined, at: Path, report: Report): void {
  if (capacity === undefined || Object.keys(capacity).length === 0) {
    report.required(at);
    report.unsupported(at, new GoText(`core.ResourceList${capacity ? '{}' : '(nil)'}`), ['storage']);
    return;
  }
  if (capacity.storage === undefined || Object.keys(capacity).length > 1) {
    report.unsupported(at, capacity, ['storage']);
  }
  for (const [name, amount] of Object.entries(capacity)) {
    const whole = quantityValue(amount);
    if (whole < 0) report.invalid(at.key(name), whole, 'must be a valid resource quantity');
    if (compareQuantities(amount, 0) <= 0) report.invalid(at.key(name), amount, 'must be greater than zero');
  }
}

function checkHostPath(
  { hostPath, persistentVolumeReclaimPolicy }: PersistentVolumeSpec,
  at: Path,
  report: Report,
) {
  if (!hostPath) return;
  if (hostPath.path === '/' && persistentVolumeReclaimPolicy === 'Recycle') {
    const why = "may not be 'recycle' for a hostPath mount of '/'";
    report.forbidden(at.child('persistentVolumeReclaimPolicy'), why);
  }
}

function checkSpecUpdate(
  next: PersistentVolumeSpec | undefined,
  previous: PersistentVolumeSpec | undefined,
  at: Path,
  report: Report,
): void {
  const source = (spec: PersistentVolumeSpec | undefined) => sourceNames.map((name) => spec?.[name] ?? null);
  if (!isEqualSemantically(source(next), source(previous))) {
    report.forbidden(
      at.child('persistentvolumesource'),
      'spec.persistentvolumesource is immutable after creation',
    );
  }
  immutable(next?.volumeMode, previous?.volumeMode, at.child('volumeMode'), report);
  if (previous?.nodeAffinity) {
    immutable(next?.nodeAffinity, previous.nodeAffinity, at.child('nodeAffinity'), report);
  }
}
