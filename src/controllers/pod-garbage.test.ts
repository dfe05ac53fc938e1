import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { FakeClock, systemClock } from '../base/clock.ts';
import { until } from '../base/until.ts';
import { isStuck, plan, quarantineMs } from './pod-garbage.ts';
import { find, startTestCluster } from './test-cluster.ts';

const ended = (name: string, created: number, reason?: string): Pod => ({
  metadata: { name, creationTimestamp: new Date(created).toISOString() },
  status: { phase: 'Failed', ...(reason && { reason }) },
});

test('of too many ended pods, evicted ones go first, then the oldest', () => {
  const pods = [ended('a', 3000), ended('b', 1000), ended('c', 2000), ended('d', 9000, 'Evicted')];
  assert.deepEqual(
    plan(pods, 1).map(({ metadata }) => metadata?.name),
    ['d', 'b', 'c'],
  );
  assert.deepEqual(plan(pods, 4), []);
});

test('a pod is stuck when it is to be deleted and nobody is there to end it', () => {
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  const leaving: Pod = { metadata: { deletionTimestamp }, spec: { containers: [], nodeName: 'n1' } };
  const node = (ready: 'True' | 'Unknown', key?: string) => ({
    spec: { ...(key && { taints: [{ key, effect: 'NoExecute' as const }] }) },
    status: { conditions: [{ type: 'Ready', status: ready }] },
  });
  const outOfService = 'node.kubernetes.io/out-of-service';
  const cases: [string, Pod, Parameters<typeof isStuck>[1], boolean][] = [
    ['no node', { metadata: { deletionTimestamp }, spec: { containers: [] } }, undefined, true],
    ['a node', leaving, node('True'), false],
    ['a lost node', leaving, node('Unknown'), false],
    ['a node out of service', leaving, node('Unknown', outOfService), true],
    ['a node that is back', leaving, node('True', outOfService), false],
    ['not to be deleted', { spec: { containers: [] } }, undefined, false],
  ];
  for (const [name, pod, at, expected] of cases) assert.equal(isStuck(pod, at), expected, name);
});

test('a pod that nobody would end has failed before it is deleted', async () => {
  const cluster = await startTestCluster({ nodes: [] });
  const { client } = cluster;
  try {
    await client.create(podKind, {
      metadata: { name: 'waits', namespace: 'default', finalizers: ['example.com/look'] },
      spec: { schedulerName: 'none', containers: [{ name: 'main', image: 'app:1' }] },
    });
    await client.delete(podKind, { namespace: 'default', name: 'waits' });
    await until(
      'it has failed',
      async () => (await find(client, podKind, 'waits'))?.status?.phase === 'Failed',
    );
    const pod = await find(client, podKind, 'waits');
    assert.equal(
      pod?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget'),
      undefined,
    );
  } finally {
    await cluster.close();
  }
});

test('pods of a node that was deleted are given up after a while', async () => {
  const clock = new FakeClock(systemClock.nowMs());
  const cluster = await startTestCluster({ nodes: ['n1'], clock });
  const { client } = cluster;
  try {
    cluster.dead.add('n1');
    await client.create(podKind, {
      metadata: { name: 'left', namespace: 'default', finalizers: ['example.com/look'] },
      spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'app:1' }] },
    });
    await client.delete(nodeKind, { name: 'n1' });
    await until('it is given up', async () => {
      await clock.advance(quarantineMs / 4);
      return (await find(client, podKind, 'left'))?.status?.phase === 'Failed';
    });
    const pod = await find(client, podKind, 'left');
    const target = pod?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.equal(target?.reason, 'DeletionByPodGC');
    assert.equal(target?.message, 'PodGC: node no longer exists');
    await until('it is deleted', async () => {
      await clock.advance(1000);
      return (await find(client, podKind, 'left'))?.metadata?.deletionTimestamp !== undefined;
    });
  } finally {
    await cluster.close();
  }
});
