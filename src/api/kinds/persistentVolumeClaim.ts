import { persistentVolumeClaimColumns } from '../columns/storage.ts';
import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { type PersistentVolumeClaimSpec, persistentVolumeClaimSpec } from '../parts/volumeClaim.ts';
import type { Path } from '../path.ts';
import { compareQuantities } from '../quantity.ts';
import type { Report } from '../report.ts';
import {
  keyedList,
  list,
  map,
  object,
  oneOf,
  quantity,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { classAnnotation, storageClassOf } from '../storage-class.ts';

export const persistentVolumeClaimCondition = object('io.k8s.api.core.v1.PersistentVolumeClaimCondition', {
  lastProbeTime: time({ doc: 'When it was looked at last.' }),
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(string({ doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});

export const modifyVolumeStatus = object('io.k8s.api.core.v1.ModifyVolumeStatus', {
  status: required(string({ doc: 'How far the change is.' })),
  targetVolumeAttributesClassName: string({ doc: 'The VolumeAttributesClass that is wanted.' }),
});

export const persistentVolumeClaimStatus = object('io.k8s.api.core.v1.PersistentVolumeClaimStatus', {
  accessModes: list(string(), { doc: 'How the volume can be mounted.' }),
  allocatedResourceStatuses: map(string(), { doc: 'How far an expansion is.', listType: 'atomic' }),
  allocatedResources: map(quantity(), { doc: 'The size that an expansion works towards.' }),
  capacity: map(quantity(), { doc: 'How large the volume is.' }),
  conditions: keyedList(['type'], persistentVolumeClaimCondition, { doc: 'Conditions.' }),
  currentVolumeAttributesClassName: string({ doc: 'The VolumeAttributesClass that holds.' }),
  modifyVolumeStatus,
  phase: oneOf(['Pending', 'Bound', 'Lost'], { doc: 'Whether it has a volume.', default: 'Pending' }),
});
export type PersistentVolumeClaimStatus = TypeOf<typeof persistentVolumeClaimStatus>;

/** The whole object, for the templates of StatefulSets too. */
export const persistentVolumeClaimObject = kindSchema(
  'io.k8s.api.core.v1.PersistentVolumeClaim',
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
  {
    spec: refine(persistentVolumeClaimSpec, { default: {} }),
    status: refine(persistentVolumeClaimStatus, { default: {} }),
  },
  'PersistentVolumeClaim asks for storage and names what it got.',
);

export interface PersistentVolumeClaim extends ObjectOf<typeof persistentVolumeClaimObject> {}

export const persistentVolumeClaim = defineKind<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  namespaced: true,
  countsGenerations: false,
  schema: persistentVolumeClaimObject,
  subresources: { status: true },
  columns: persistentVolumeClaimColumns,
  selectableFields: { name: ({ metadata }) => metadata?.name ?? '' },
  checkUpdate,
});

function checkUpdate(
  next: PersistentVolumeClaim,
  previous: PersistentVolumeClaim,
  report: Report,
  root: Path,
) {
  const at = root.child('spec');
  const annotation = ({ metadata }: PersistentVolumeClaim) => metadata?.annotations?.[classAnnotation];
  if (annotation(next) !== annotation(previous) && annotation(previous) !== undefined) {
    const annotationAt = root.child('metadata').child('annotations').key(classAnnotation);
    report.invalid(annotationAt, annotation(next) ?? '', 'field is immutable');
  }
  if (!isEqualSemantically(fixedPart(next, previous), previous.spec)) {
    const why =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    report.forbidden(at, why);
  }
  checkSize(next, previous, at, report);
}

/** `next.spec` with what may change as it was before. */
function fixedPart(next: PersistentVolumeClaim, previous: PersistentVolumeClaim): PersistentVolumeClaimSpec {
  const before = previous.spec!;
  const fixed: PersistentVolumeClaimSpec = { ...next.spec! };
  const keep = <K extends keyof PersistentVolumeClaimSpec>(field: K) => {
    if (before[field] === undefined) delete fixed[field];
    else fixed[field] = before[field];
  };
  if (!before.volumeName) keep('volumeName');
  // A default class may come later than the claim.
  if (storageClassOf(previous) === undefined) keep('storageClassName');
  if (next.status?.phase !== 'Bound') return fixed;
  keep('volumeAttributesClassName');
  const storage = before.resources?.requests?.storage;
  if (storage !== undefined && fixed.resources?.requests) {
    fixed.resources = { ...fixed.resources, requests: { ...fixed.resources.requests, storage } };
  }
  return fixed;
}

/** A request may shrink only as long as the volume has not grown that far. */
function checkSize(
  next: PersistentVolumeClaim,
  previous: PersistentVolumeClaim,
  at: Path,
  report: Report,
): void {
  const size = next.spec?.resources?.requests?.storage;
  const before = previous.spec?.resources?.requests?.storage;
  if (size === undefined || before === undefined || compareQuantities(size, before) >= 0) return;
  const capacity = previous.status?.capacity?.storage;
  if (capacity !== undefined && compareQuantities(size, capacity) > 0) return;
  const sizeAt = at.child('resources').child('requests').child('storage');
  report.forbidden(sizeAt, 'field can not be less than status.capacity');
}
