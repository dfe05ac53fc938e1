import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kinds } from './kinds/index.ts';
import type { KubeObject } from './object.ts';
import { prepareForCreate } from './prepare.ts';

/** Those whose strategies in Kubernetes 1.32 begin with generation 1. */
const counted = [
  'CronJob',
  'CustomResourceDefinition',
  'DaemonSet',
  'Deployment',
  'EndpointSlice',
  'FlowSchema',
  'Ingress',
  'IngressClass',
  'Job',
  'MutatingWebhookConfiguration',
  'NetworkPolicy',
  'PodDisruptionBudget',
  'PodTemplate',
  'PriorityClass',
  'PriorityLevelConfiguration',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
];

/** Kubernetes counts from its first change on. */
const countedLater = ['CSIDriver'];

test('generations are counted of the kinds of which Kubernetes counts them', () => {
  const ours = kinds
    .filter(({ group }) => !group.endsWith('selvage.dev') && !group.endsWith('kserve.io'))
    .filter(
      (kind) => prepareForCreate<KubeObject>(kind, { spec: {} } as KubeObject).metadata?.generation === 1,
    )
    .map(({ kind }) => kind);
  assert.deepEqual(ours.sort(), [...counted, ...countedLater].sort());
});
