import { templateColumns } from '../columns/workload.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelector } from '../parts/meta.ts';
import { podTemplateSpec } from '../parts/podSpec.ts';
import {
  boolean,
  integer,
  intOrString,
  keyedList,
  object,
  oneOf,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const rollingUpdateDeployment = object('io.k8s.api.apps.v1.RollingUpdateDeployment', {
  maxSurge: intOrString(),
  maxUnavailable: intOrString(),
});
export type RollingUpdateDeployment = TypeOf<typeof rollingUpdateDeployment>;

export const deploymentStrategy = object('io.k8s.api.apps.v1.DeploymentStrategy', {
  rollingUpdate: rollingUpdateDeployment,
  type: oneOf(['Recreate', 'RollingUpdate']),
});
export type DeploymentStrategy = TypeOf<typeof deploymentStrategy>;

export const deploymentSpec = object('io.k8s.api.apps.v1.DeploymentSpec', {
  minReadySeconds: integer(),
  paused: boolean(),
  progressDeadlineSeconds: integer(),
  replicas: integer(),
  revisionHistoryLimit: integer(),
  selector: required(labelSelector),
  strategy: deploymentStrategy,
  template: required(podTemplateSpec),
});
export type DeploymentSpec = TypeOf<typeof deploymentSpec>;

export const deploymentCondition = object('io.k8s.api.apps.v1.DeploymentCondition', {
  lastTransitionTime: time(),
  lastUpdateTime: time(),
  message: string(),
  reason: string(),
  status: required(oneOf(['True', 'False', 'Unknown'])),
  type: required(string()),
});
export type DeploymentCondition = TypeOf<typeof deploymentCondition>;

export const deploymentStatus = object('io.k8s.api.apps.v1.DeploymentStatus', {
  availableReplicas: integer(),
  collisionCount: integer(),
  conditions: keyedList(['type'], deploymentCondition),
  observedGeneration: integer(),
  readyReplicas: integer(),
  replicas: integer(),
  terminatingReplicas: integer(),
  unavailableReplicas: integer(),
  updatedReplicas: integer(),
});
export type DeploymentStatus = TypeOf<typeof deploymentStatus>;

const schema = kindSchema(
  'io.k8s.api.apps.v1.Deployment',
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  {
    spec: deploymentSpec,
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
  subresources: {
    status: true,
    scale: {
      specReplicas: '.spec.replicas',
      statusReplicas: '.status.replicas',
      selector: '.spec.selector',
    },
  },
  columns: [
    nameColumn,
    {
      name: 'Ready',
      doc: 'Ready pods of those wanted.',
      value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'integer',
      doc: 'Pods of the current template.',
      value: ({ status }) => status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'integer',
      doc: 'Pods that were ready for long enough.',
      value: ({ status }) => status?.availableReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns,
  ],
});
