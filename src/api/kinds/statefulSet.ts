import { templateColumns } from '../columns/workload.ts';
import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelector } from '../parts/meta.ts';
import { uncheckedPodTemplate } from '../parts/podSpec.ts';
import { checkWorkload, replicaScale } from '../parts/workload.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  integer,
  intOrString,
  keyedList,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';
import { persistentVolumeClaimObject } from './persistentVolumeClaim.ts';

export const rollingUpdateStatefulSetStrategy = object(
  'io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy',
  {
    maxUnavailable: intOrString({ doc: 'How many may be down during a rollout; alpha, nothing acts on it.' }),
    partition: integer({ doc: 'Pods below this ordinal keep the old template.', default: 0, min: 0 }),
  },
);

export const statefulSetUpdateStrategy = object(
  'io.k8s.api.apps.v1.StatefulSetUpdateStrategy',
  {
    type: oneOf(['RollingUpdate', 'OnDelete'], {
      doc: 'From the last pod to the first, or when a pod is deleted.',
      default: 'RollingUpdate',
    }),
    rollingUpdate: refine(rollingUpdateStatefulSetStrategy, {
      doc: 'How far a rolling update goes.',
      default: ({ type }) => (type === 'RollingUpdate' ? {} : undefined),
    }),
  },
  {
    doc: 'How pods are replaced when the template changes.',
    check({ type, rollingUpdate }, at, report) {
      if (type !== 'OnDelete' || !rollingUpdate) return;
      const message = "only allowed for updateStrategy 'RollingUpdate'";
      report.invalid(at.child('rollingUpdate'), rollingUpdate, message);
    },
  },
);

export const statefulSetOrdinals = object('io.k8s.api.apps.v1.StatefulSetOrdinals', {
  start: integer({ doc: 'The ordinal of the first pod.', min: 0 }),
});

const retention = oneOf(['Retain', 'Delete'], { doc: 'Whether claims stay.', default: 'Retain' });
export const claimRetentionPolicy = object(
  'io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy',
  { whenDeleted: retention, whenScaled: retention },
);

const fields = object('io.k8s.api.apps.v1.StatefulSetSpec', {
  minReadySeconds: integer({ doc: 'How long a pod must be ready to count as available.', min: 0 }),
  ordinals: refine(statefulSetOrdinals, { doc: 'How pods are numbered.' }),
  persistentVolumeClaimRetentionPolicy: refine(claimRetentionPolicy, { default: {} }),
  podManagementPolicy: string({
    doc: 'Whether a pod waits until those before it are ready.',
    default: 'OrderedReady',
    check(policy, at, report) {
      if (policy === 'OrderedReady' || policy === 'Parallel') return;
      report.invalid(at, policy, "must be 'OrderedReady' or 'Parallel'");
    },
  }),
  replicas: integer({ doc: 'How many pods are wanted.', default: 1, min: 0 }),
  revisionHistoryLimit: integer({
    doc: 'How many old templates are kept for a rollback.',
    default: 10,
    min: 0,
  }),
  selector: required(refine(labelSelector, { doc: 'Which pods belong to it.' })),
  serviceName: string({ doc: 'The headless Service under which its pods have names.' }),
  template: required(refine(uncheckedPodTemplate, { default: {} })),
  updateStrategy: refine(statefulSetUpdateStrategy, { default: {} }),
  volumeClaimTemplates: list(
    refine(persistentVolumeClaimObject, { complete: sayKind, insideUnchecked: true }),
    {
      doc: 'Claims that each pod gets of its own, and finds again.',
    },
  ),
});
export type StatefulSetSpec = TypeOf<typeof fields>;

export const statefulSetSpec = refine(fields, { check: checkSpec, checkUpdate });

export const statefulSetCondition = object('io.k8s.api.apps.v1.StatefulSetCondition', {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});

export const statefulSetStatus = object('io.k8s.api.apps.v1.StatefulSetStatus', {
  availableReplicas: integer({ doc: 'Pods that were ready for long enough.', default: 0 }),
  collisionCount: integer({ doc: 'How often the name of a new revision was taken.' }),
  conditions: keyedList(['type'], statefulSetCondition, { doc: 'Conditions.' }),
  currentReplicas: integer({ doc: 'Pods of the revision before.' }),
  currentRevision: string({ doc: 'The revision before.' }),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  readyReplicas: integer({ doc: 'Pods that are ready.' }),
  replicas: required(integer({ doc: 'Pods there are.', default: 0 })),
  updateRevision: string({ doc: "The template's revision." }),
  updatedReplicas: integer({ doc: "Pods of the template's revision." }),
});
export type StatefulSetStatus = TypeOf<typeof statefulSetStatus>;

const schema = kindSchema(
  'io.k8s.api.apps.v1.StatefulSet',
  { apiVersion: 'apps/v1', kind: 'StatefulSet' },
  { spec: refine(statefulSetSpec, { default: {} }), status: statefulSetStatus },
  'StatefulSet keeps a number of pods with names of their own, and changes them in order.',
);

export interface StatefulSet extends ObjectOf<typeof schema> {}

export const statefulSet = defineKind<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true, scale: replicaScale },
  columns: [
    nameColumn,
    {
      name: 'Ready',
      doc: 'Ready pods of those wanted.',
      value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    },
    ageColumn,
    ...templateColumns.filter(({ name }) => name !== 'Selector'),
  ],
});

/** A template is a whole claim, though nobody writes it so. */
function sayKind(claim: Record<string, unknown>): void {
  claim.apiVersion ??= 'v1';
  claim.kind ??= 'PersistentVolumeClaim';
}

function checkSpec(spec: StatefulSetSpec, at: Path, report: Report): void {
  checkWorkload('statefulset', spec, at, report);
}

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

function checkUpdate(
  next: StatefulSetSpec | undefined,
  previous: StatefulSetSpec | undefined,
  at: Path,
  report: Report,
): void {
  const fixed = (spec: StatefulSetSpec | undefined) => {
    const rest: Partial<StatefulSetSpec> = { ...spec };
    for (const field of changeable) delete rest[field];
    return rest;
  };
  if (isEqualSemantically(fixed(next), fixed(previous))) return;
  const names = changeable.map((name) => `'${name}'`);
  const all = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  report.forbidden(at, `updates to statefulset spec for fields other than ${all} are forbidden`);
}
