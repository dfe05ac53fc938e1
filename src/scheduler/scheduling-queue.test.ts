import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/kinds/pod.ts';
import { FakeClock } from '../base/clock.ts';
import type { Plugin } from './filter.ts';
import type { ClusterEvent } from './hints.ts';
import { backoffMaxMs, SchedulingQueue, unschedulableMaxMs } from './scheduling-queue.ts';
import { node, pod } from './testing.ts';

const refusedBy = (...plugins: Plugin[]) => new Set(plugins);
const gone: ClusterEvent = { about: 'pod', what: 'gone', pod: pod('gone'), namespaceLabels: () => undefined };
const ranked = (name: string, priority: number) => pod(name, { spec: { priority } });

function queueOn(clock: FakeClock) {
  let calls = 0;
  const queue = new SchedulingQueue(clock, () => calls++);
  const pop = () => queue.pop()?.metadata?.name;
  return { queue, pop, calls: () => calls };
}

test('the higher priority goes first, and of equals the one that came first', async () => {
  const clock = new FakeClock();
  const { queue, pop } = queueOn(clock);
  for (const each of [ranked('b', 1), ranked('c', 0), ranked('a', 5), ranked('d', 1)]) queue.add(each);
  await clock.advance(10);
  queue.add(ranked('e', 1));
  assert.deepEqual([pop(), pop(), pop(), pop(), pop(), pop()], ['a', 'b', 'd', 'e', 'c', undefined]);
});

test('a pod that no node could take waits for an event that can help it, and for its back-off', async () => {
  const clock = new FakeClock();
  const { queue, pop } = queueOn(clock);
  queue.add(pod('a', { requests: { cpu: '1' } }));
  assert.equal(pop(), 'a');
  queue.park('default/a', refusedBy('NodeResourcesFit'));
  queue.notice({ about: 'volume' });
  await clock.advance(backoffMaxMs);
  assert.equal(pop(), undefined);
  queue.notice(gone);
  assert.equal(pop(), 'a');
  queue.park('default/a', refusedBy('NodeResourcesFit'));
  queue.notice(gone);
  assert.equal(pop(), undefined, 'in its back-off');
  await clock.advance(200);
  assert.equal(pop(), 'a');
});

test('the back-off doubles up to ten seconds', async () => {
  const clock = new FakeClock();
  const { queue, pop } = queueOn(clock);
  queue.add(pod('a'));
  const waits: number[] = [];
  for (let tries = 0; tries < 9; tries++) {
    const sinceMs = clock.nowMs();
    while (pop() === undefined) await clock.advance(100);
    waits.push(clock.nowMs() - sinceMs);
    queue.retry('default/a');
  }
  assert.deepEqual(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, backoffMaxMs]);
});

test('what happens while a pod is being placed is not missed', async () => {
  const clock = new FakeClock();
  const { queue, pop } = queueOn(clock);
  queue.add(pod('a'));
  pop();
  queue.add(pod('a', { labels: { now: 'fits' } }));
  queue.park('default/a', refusedBy('NodeAffinity'));
  await clock.advance(100);
  assert.equal(queue.pop()?.metadata?.labels?.now, 'fits');
});

test('a pod that no event helped is tried again after five minutes', async () => {
  const clock = new FakeClock();
  const { queue, pop, calls } = queueOn(clock);
  queue.add(pod('a'));
  pop();
  queue.park('default/a', refusedBy('NodeAffinity'));
  await clock.advance(unschedulableMaxMs - 30_000);
  assert.equal(pop(), undefined);
  const before = calls();
  await clock.advance(60_000);
  assert.equal(pop(), 'a');
  assert.equal(calls(), before + 1);
});

test('a deleted pod has no turn, and one made anew under its name starts afresh', async () => {
  const clock = new FakeClock();
  const { queue, pop } = queueOn(clock);
  queue.add(pod('a'));
  pop();
  queue.park('default/a', refusedBy('NodeAffinity'));
  queue.delete('default/a');
  assert.equal(queue.size, 0);
  queue.notice({ about: 'node', change: { type: 'added', key: 'n1', object: node('n1') } });
  await clock.advance(unschedulableMaxMs);
  assert.equal(pop(), undefined);
  queue.add(pod('a'));
  const anew: Pod = { ...pod('a'), metadata: { name: 'a', namespace: 'default', uid: 'another' } };
  queue.add(anew);
  assert.equal(queue.pop()?.metadata?.uid, 'another');
  assert.equal(pop(), undefined);
});
