import { templateColumns } from '../columns/workload.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelector } from '../parts/meta.ts';
import { podTemplateSpec } from '../parts/podSpec.ts';
import { checkCountOrPercent, checkShare, checkWorkload, replicaScale } from '../parts/workload.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  boolean,
  integer,
  intOrString,
  keyedList,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const rollingUpdateDeployment = object('io.k8s.api.apps.v1.RollingUpdateDeployment', {
  maxSurge: intOrString({
    doc: 'Pods above the wanted number, or a percentage.',
    default: '25%',
    check: checkCountOrPercent,
  }),
  maxUnavailable: intOrString({
    doc: 'Pods below it, or a percentage.',
    default: '25%',
    check: checkShare,
  }),
});
export type RollingUpdateDeployment = TypeOf<typeof rollingUpdateDeployment>;

export const deploymentStrategy = object(
  'io.k8s.api.apps.v1.DeploymentStrategy',
  {
    type: oneOf(['Recreate', 'RollingUpdate'], {
      doc: 'All at once, or step by step.',
      default: 'RollingUpdate',
    }),
    rollingUpdate: refine(rollingUpdateDeployment, {
      doc: 'How far a rolling update may stray from the wanted number.',
      default: ({ type }) => (type === 'RollingUpdate' ? {} : undefined),
    }),
  },
  { doc: 'How pods are replaced when the template changes.', retainKeys: true, check: checkStrategy },
);
export type DeploymentStrategy = TypeOf<typeof deploymentStrategy>;

export const deploymentSpec = object(
  'io.k8s.api.apps.v1.DeploymentSpec',
  {
    replicas: integer({ doc: 'How many pods are wanted.', default: 1, min: 0 }),
    selector: required(refine(labelSelector, { doc: 'Which pods belong to it.', checkUpdate: immutable })),
    template: required(refine(podTemplateSpec, { default: {} })),
    strategy: refine(deploymentStrategy, { default: {} }),
    minReadySeconds: integer({ doc: 'How long a pod must be ready to count as available.', min: 0 }),
    revisionHistoryLimit: integer({
      doc: 'How many old ReplicaSets are kept for a rollback.',
      default: 10,
      min: 0,
    }),
    progressDeadlineSeconds: integer({
      doc: 'How long a rollout may stand still before it has failed.',
      default: 600,
      min: 0,
    }),
    paused: boolean({ doc: 'Whether changes of the template wait.' }),
  },
  {
    check(spec, at, report) {
      checkWorkload('deployment', spec, at, report);
      const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
      if (deadline !== undefined && deadline <= minReadySeconds) {
        report.invalid(at.child('progressDeadlineSeconds'), deadline, 'must be greater than minReadySeconds');
      }
    },
  },
);
export type DeploymentSpec = TypeOf<typeof deploymentSpec>;

export const deploymentCondition = object('io.k8s.api.apps.v1.DeploymentCondition', {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  lastUpdateTime: time({ doc: 'When it was written last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type DeploymentCondition = TypeOf<typeof deploymentCondition>;

export const deploymentStatus = object('io.k8s.api.apps.v1.DeploymentStatus', {
  availableReplicas: integer({ doc: 'Pods that were ready for long enough.' }),
  collisionCount: integer({ doc: 'How often the name of a new ReplicaSet was taken.' }),
  conditions: keyedList(['type'], deploymentCondition, { doc: 'Available, Progressing and ReplicaFailure.' }),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  readyReplicas: integer({ doc: 'Pods that are ready.' }),
  replicas: integer({ doc: 'Pods there are.' }),
  unavailableReplicas: integer({ doc: 'Pods that are still missing.' }),
  updatedReplicas: integer({ doc: 'Pods of the current template.' }),
});
export type DeploymentStatus = TypeOf<typeof deploymentStatus>;

const schema = kindSchema(
  'io.k8s.api.apps.v1.Deployment',
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  {
    spec: refine(deploymentSpec, { default: {} }),
    status: deploymentStatus,
  },
  'Deployment keeps a number of pods of one template running and replaces them step by step when the template changes.',
);

export interface Deployment extends ObjectOf<typeof schema> {}

export const deployment = defineKind<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
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
    {
      name: 'Up-to-date',
      doc: 'Pods of the current template.',
      value: ({ status }) => status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      doc: 'Pods that were ready for long enough.',
      value: ({ status }) => status?.availableReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns,
  ],
});

interface Strategy {
  type?: string;
  rollingUpdate?: RollingUpdateDeployment;
}

function checkStrategy({ type, rollingUpdate }: Strategy, at: Path, report: Report): void {
  const rollingAt = at.child('rollingUpdate');
  if (type === 'Recreate' && rollingUpdate) {
    report.forbidden(rollingAt, "may not be specified when strategy `type` is 'Recreate'");
  }
  if (type !== 'RollingUpdate' || !rollingUpdate) return;
  const { maxSurge = 0, maxUnavailable = 0 } = rollingUpdate;
  if (isNone(maxSurge) && isNone(maxUnavailable)) {
    report.invalid(rollingAt.child('maxUnavailable'), maxUnavailable, 'may not be 0 when `maxSurge` is 0');
  }
}

const isNone = (value: number | string) => value === 0 || value === '0%';
