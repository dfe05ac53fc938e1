import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { ReplicaSet } from '../api/kinds/replicaSet.ts';
import type { Service, ServiceSpec } from '../api/kinds/service.ts';
import type { KubeObject } from '../api/object.ts';
import { FakeClock } from '../base/clock.ts';
import { rankForDeletion } from './deletion-rank.ts';
import { Expectations } from './expectations.ts';
import { type OwnerState, plan as planGarbage } from './garbage-collector/plan.ts';
import { endedPodsMax, plan as planEnded } from './pod-garbage.ts';
import { burstMax, plan as planReplicaSet, statusOf } from './replicaset.ts';
import { loadBalancerIp, loadBalancerNode, plan as planAddress } from './service-address.ts';

interface PodOptions {
  node?: string;
  phase?: 'Pending' | 'Running' | 'Failed';
  readySince?: string;
  created?: string;
  restarts?: number;
  cost?: string;
}

function pod(name: string, options: PodOptions = {}): Pod {
  const {
    node,
    phase = 'Running',
    readySince,
    created = '2026-01-01T00:00:00Z',
    restarts = 0,
    cost,
  } = options;
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: created,
      ...(cost && { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node && { nodeName: node }) },
    status: {
      phase,
      conditions: [
        readySince
          ? { type: 'Ready', status: 'True', lastTransitionTime: readySince }
          : { type: 'Ready', status: 'False' },
      ],
      containerStatuses: [{ name: 'a', image: '', imageID: '', ready: true, restartCount: restarts }],
    },
  };
}

test('of too many pods the least useful go first', () => {
  const ready = '2026-01-01T01:00:00Z';
  const later = '2026-01-01T02:00:00Z';
  const pods = [
    pod('old', { node: 'n1', readySince: ready }),
    pod('new', { node: 'n1', readySince: ready, created: '2026-01-01T00:30:00Z' }),
    pod('restarted', { node: 'n1', readySince: ready, restarts: 5 }),
    pod('ready-later', { node: 'n1', readySince: later }),
    pod('doubled', { node: 'n2', readySince: ready }),
    pod('cheap', { node: 'n1', readySince: ready, cost: '-1' }),
    pod('unready', { node: 'n1' }),
    pod('pending', { node: 'n1', phase: 'Pending' }),
    pod('unassigned', { phase: 'Pending' }),
  ];
  const related = [pod('x', { node: 'n2' }), pod('y', { node: 'n2' })];
  const order = rankForDeletion(pods, related).map(({ metadata }) => metadata?.name);
  assert.deepEqual(order, [
    'unassigned',
    'pending',
    'unready',
    'cheap',
    'doubled',
    'ready-later',
    'restarted',
    'new',
    'old',
  ]);
});

test('a ReplicaSet creates and deletes in bounded bursts and counts what is available', () => {
  const of = (replicas: number): ReplicaSet => ({
    metadata: { name: 'web', generation: 2 },
    spec: { replicas, selector: {}, minReadySeconds: 10 },
  });
  assert.deepEqual(
    planReplicaSet(of(3), [pod('a')], () => []),
    { create: 2, delete: [] },
  );
  assert.equal(planReplicaSet(of(2000), [], () => []).create, burstMax);
  assert.equal(planReplicaSet(of(0), [pod('a'), pod('b')], () => []).delete.length, 2);
  const readySince = '2026-01-01T00:00:00Z';
  const status = (afterMs: number) =>
    statusOf(of(1), [pod('a', { readySince })], Date.parse(readySince) + afterMs);
  assert.deepEqual([status(9000).readyReplicas, status(9000).availableReplicas], [1, undefined]);
  assert.equal(status(10_000).availableReplicas, 1);
  const failed = statusOf(of(1), [], 0, { reason: 'FailedCreate', message: 'quota' });
  assert.deepEqual(
    failed.conditions?.map(({ type, reason }) => [type, reason]),
    [['ReplicaFailure', 'FailedCreate']],
  );
});

test('what was asked for is waited for, but not for ever', async () => {
  const clock = new FakeClock();
  const expectations = new Expectations(clock);
  expectations.expectCreations('a', 2);
  expectations.creationSeen('a');
  assert.equal(expectations.areMet('a'), false);
  expectations.creationSeen('a');
  assert.equal(expectations.areMet('a'), true);
  expectations.expectDeletions('a', ['u1', 'u2']);
  expectations.deletionSeen('a', 'u1');
  expectations.deletionSeen('a', 'u1');
  assert.equal(expectations.areMet('a'), false);
  await clock.advance(5 * 60_000);
  assert.equal(expectations.areMet('a'), true);
});

test('garbage is judged by its owners', () => {
  const states = (...list: OwnerState[]) =>
    list.map((state, index) => ({
      state,
      reference: { apiVersion: 'v1', kind: 'Pod', name: 'o', uid: `u${index}` },
    }));
  const object: KubeObject = { metadata: { name: 'x', uid: 'x' } };
  const dependent = (blockOwnerDeletion: boolean): KubeObject => ({
    metadata: {
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x', blockOwnerDeletion }],
    },
  });
  const deleted = (finalizer: string): KubeObject => ({
    metadata: { name: 'x', uid: 'x', deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [finalizer] },
  });
  const cases: [string, object, object][] = [
    ['no owners', planGarbage(object, [], []), { type: 'none' }],
    ['one present', planGarbage(object, states('present'), []), { type: 'none' }],
    ['unknown kind', planGarbage(object, states('unknown'), []), { type: 'none' }],
    [
      'unknown kind beside others',
      planGarbage(object, states('present', 'absent', 'unknown'), []),
      { type: 'none' },
    ],
    [
      'absent',
      planGarbage(object, states('absent'), []),
      { type: 'delete', propagationPolicy: 'Background' },
    ],
    [
      'one of two absent',
      planGarbage(object, states('present', 'absent'), []),
      { type: 'dropOwners', uids: ['u1'] },
    ],
    [
      'waiting, with dependents',
      planGarbage(object, states('waiting'), [dependent(true)]),
      { type: 'delete', propagationPolicy: 'Foreground' },
    ],
    [
      'waiting, in a circle',
      planGarbage(object, states('waiting'), [deleted('foregroundDeletion')]),
      { type: 'delete', propagationPolicy: 'Foreground', unblocks: true },
    ],
    [
      'waiting, alone',
      planGarbage(object, states('waiting'), []),
      { type: 'delete', propagationPolicy: 'Background' },
    ],
    [
      'foreground, blocked',
      planGarbage(deleted('foregroundDeletion'), [], [dependent(true)]),
      { type: 'none' },
    ],
    [
      'foreground, not blocked',
      planGarbage(deleted('foregroundDeletion'), [], [dependent(false)]),
      { type: 'removeFinalizer', finalizer: 'foregroundDeletion' },
    ],
    [
      'orphaned',
      planGarbage(deleted('orphan'), [], [dependent(true)]),
      { type: 'orphanDependents', dependents: [dependent(true)] },
    ],
    [
      'orphaned, alone',
      planGarbage(deleted('orphan'), [], []),
      { type: 'removeFinalizer', finalizer: 'orphan' },
    ],
    ["another's finalizer", planGarbage(deleted('example.com/wait'), states('absent'), []), { type: 'none' }],
  ];
  for (const [name, actual, expected] of cases) assert.deepEqual(actual, expected, name);
});

function node(name: string, ready = true, labels: Record<string, string> = {}): Node {
  return {
    metadata: { name, labels },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
  };
}

test('a LoadBalancer keeps its node and address, moves when the node dies, and gives all back in the end', () => {
  const service = (annotations: Record<string, string> = {}, spec: Partial<ServiceSpec> = {}): Service => ({
    metadata: { name: 'web', annotations },
    spec: { type: 'LoadBalancer', ...spec },
  });
  const control = node('z', true, { 'node-role.kubernetes.io/control-plane': '' });
  const none = new Set<string>();
  const first = planAddress({
    service: service(),
    nodes: [node('b'), node('a')],
    taken: new Set(['127.42.0.1']),
  });
  assert.deepEqual(first.annotations, { [loadBalancerNode]: 'a', [loadBalancerIp]: '127.42.0.2' });
  const preferred = planAddress({ service: service(), nodes: [node('a'), control], taken: none });
  assert.equal(preferred.annotations[loadBalancerNode], 'z');
  const held = service(first.annotations as Record<string, string>);
  assert.deepEqual(planAddress({ service: held, nodes: [node('a'), control], taken: none }), {
    annotations: {},
    clearStatus: false,
  });
  const moved = planAddress({ service: held, nodes: [node('a', false), node('b')], taken: none });
  assert.deepEqual(moved, { annotations: { [loadBalancerNode]: 'b' }, clearStatus: true });
  const alone = planAddress({ service: held, nodes: [node('a', false)], taken: none });
  assert.deepEqual(alone.annotations, {});
  const wanting = service({}, { loadBalancerIP: '127.42.9.9' });
  assert.equal(
    planAddress({ service: wanting, nodes: [control], taken: none }).annotations[loadBalancerIp],
    '127.42.9.9',
  );
  const closed = service(first.annotations as Record<string, string>, { type: 'ClusterIP' });
  assert.deepEqual(planAddress({ service: closed, nodes: [control], taken: none }), {
    annotations: { [loadBalancerNode]: null, [loadBalancerIp]: null },
    clearStatus: true,
  });
  const plain = service({}, { type: 'ClusterIP' });
  assert.deepEqual(planAddress({ service: plain, nodes: [control], taken: none }).annotations, {});
  assert.match(planAddress({ service: service(), nodes: [], taken: none }).problem ?? '', /no node is ready/);
});

test('pods that have ended are kept up to a number', () => {
  const ended = Array.from({ length: endedPodsMax + 2 }, (_, n) =>
    pod(`p${n}`, { phase: 'Failed', created: new Date(1e12 + n * 1000).toISOString() }),
  );
  assert.deepEqual(
    planEnded([...ended, pod('running')]).map(({ metadata }) => metadata?.name),
    ['p0', 'p1'],
  );
  assert.deepEqual(planEnded(ended.slice(0, endedPodsMax)), []);
});
