import assert from 'node:assert/strict';
import { test } from 'node:test';
import { event as eventKind } from '../api/kinds/event.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { FakeClock } from '../base/clock.ts';
import { until } from '../base/until.ts';
import { acceptPod } from './pods/record.ts';
import { endInOrder, periodsOf, shutdownMessage } from './shutdown.ts';
import { podOf } from './testing.ts';
import { startTestCluster } from './testing-cluster.ts';

const recordOf = (name: string, priority?: number) =>
  acceptPod(podOf({ ...(priority !== undefined && { priority }) }, { name, uid: name }), 0);

test('pods end by priority, each group in its own time, and a group that is stuck holds nobody up for longer', async () => {
  const clock = new FakeClock(0);
  const ended: string[] = [];
  const never = new Promise<void>(() => {});
  const done = endInOrder({
    periods: [
      { priority: 1000, seconds: 20 },
      { priority: 0, seconds: 10 },
      { priority: 5000, seconds: 30 },
    ],
    records: [recordOf('top', 9000), recordOf('low', -5), recordOf('none'), recordOf('stuck', 1000)],
    clock,
    async end({ name }, seconds) {
      ended.push(`${name} ${seconds}`);
      if (name === 'stuck') await never;
    },
  });
  await until('the second group is asked to end', async () => ended.length === 3);
  await clock.advance(19_000);
  assert.deepEqual(ended, ['low 10', 'none 10', 'stuck 20']);
  await clock.advance(1_000);
  await done;
  assert.deepEqual(ended.at(-1), 'top 30');
});

test('of the whole time critical pods have theirs at the end', () => {
  assert.deepEqual(periodsOf(30, 10), [
    { priority: 0, seconds: 20 },
    { priority: 2_000_000_000, seconds: 10 },
  ]);
  assert.deepEqual(periodsOf(0, 0), []);
});

test('a node that shuts down says so, takes no pods, and ends those that it has for good, critical ones last', async (t) => {
  const cluster = await startTestCluster(t);
  const { admin, shim } = cluster;
  await cluster.build('web:1');
  const agent = await cluster.startNode();
  await cluster.createPod({ terminationGracePeriodSeconds: 5 });
  const priorityClassName = 'system-node-critical';
  await cluster.createPod({ priorityClassName }, { name: 'critical', namespace: 'default' });
  for (const name of ['web', 'critical'])
    await cluster.podWhen(`${name} runs`, (pod) => pod.status?.phase === 'Running', name);
  // The first pod holds up the shutdown until the test has looked.
  const held = Promise.withResolvers<void>();
  const end = shim.onStop;
  shim.onStop = (at, id) => void held.promise.then(() => end(at, id));
  const ending = agent.shutdown({ graceSeconds: 1, periods: periodsOf(600, 100) });
  await until('the node says so', async () => {
    const { status } = await admin.get(nodeKind, { name: 'n1' });
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    return ready?.reason === 'KubeletNotReady' && ready.message === 'node is shutting down';
  });
  await cluster.createPod({}, { name: 'late' });
  const late = await cluster.podWhen('it is refused', (pod) => pod.status?.phase === 'Failed', 'late');
  assert.deepEqual(
    [late.status?.reason, late.status?.message],
    ['NodeShutdown', 'Pod was rejected as the node is shutting down.'],
  );
  assert.deepEqual(
    shim.stops.map(({ graceSeconds }) => graceSeconds),
    [5],
  );
  held.resolve();
  await ending;
  assert.deepEqual(
    shim.stops.map(({ graceSeconds }) => graceSeconds),
    [5, 30],
  );
  for (const name of ['web', 'critical']) {
    const { status } = (await cluster.pod(name))!;
    assert.deepEqual(
      [status?.phase, status?.reason, status?.message],
      ['Failed', 'Terminated', shutdownMessage],
    );
    const disrupted = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual([disrupted?.status, disrupted?.reason], ['True', 'TerminationByKubelet']);
  }
  const { items } = await admin.list(eventKind, { namespace: 'default' });
  assert.ok(
    items.some(({ reason, involvedObject }) => reason === 'NodeShutdown' && involvedObject.name === 'n1'),
  );
});
