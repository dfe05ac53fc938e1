import { templateColumns } from '../columns/workload.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelector } from '../parts/meta.ts';
import { podTemplateSpec } from '../parts/podSpec.ts';
import { checkWorkload, replicaScale } from '../parts/workload.ts';
import { integer, keyedList, object, oneOf, refine, required, string, type TypeOf, time } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const replicaSetSpec = object(
  'io.k8s.api.apps.v1.ReplicaSetSpec',
  {
    replicas: integer({ doc: 'How many pods are wanted.', default: 1, min: 0 }),
    selector: required(refine(labelSelector, { doc: 'Which pods belong to it.', checkUpdate: immutable })),
    template: refine(podTemplateSpec, { default: {} }),
    minReadySeconds: integer({ doc: 'How long a pod must be ready to count as available.', min: 0 }),
  },
  { check: (spec, at, report) => checkWorkload('replicaset', spec, at, report) },
);
export type ReplicaSetSpec = TypeOf<typeof replicaSetSpec>;

export const replicaSetCondition = object('io.k8s.api.apps.v1.ReplicaSetCondition', {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type ReplicaSetCondition = TypeOf<typeof replicaSetCondition>;

export const replicaSetStatus = object('io.k8s.api.apps.v1.ReplicaSetStatus', {
  availableReplicas: integer({ doc: 'Pods that were ready for long enough.' }),
  conditions: keyedList(['type'], replicaSetCondition, { doc: 'ReplicaFailure.' }),
  fullyLabeledReplicas: integer({ doc: 'Pods with all labels of the template.' }),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  readyReplicas: integer({ doc: 'Pods that are ready.' }),
  replicas: required(integer({ doc: 'Pods there are.', default: 0 })),
});
export type ReplicaSetStatus = TypeOf<typeof replicaSetStatus>;

const schema = kindSchema(
  'io.k8s.api.apps.v1.ReplicaSet',
  { apiVersion: 'apps/v1', kind: 'ReplicaSet' },
  {
    spec: refine(replicaSetSpec, { default: {} }),
    status: replicaSetStatus,
  },
  'ReplicaSet keeps a number of pods of one template running.',
);

export interface ReplicaSet extends ObjectOf<typeof schema> {}

export const replicaSet = defineKind<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true, scale: replicaScale },
  columns: [
    nameColumn,
    { name: 'Desired', type: 'integer', doc: 'Pods wanted.', value: (set) => set.spec?.replicas ?? 0 },
    { name: 'Current', type: 'integer', doc: 'Pods there.', value: (set) => set.status?.replicas ?? 0 },
    { name: 'Ready', type: 'integer', doc: 'Pods ready.', value: (set) => set.status?.readyReplicas ?? 0 },
    ageColumn,
    ...templateColumns,
  ],
  selectableFields: { 'status.replicas': (set) => String(set.status?.replicas ?? 0) },
});
