import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { createWorkQueue, type WorkQueueOptions } from './work-queue.ts';

function setUp(process: WorkQueueOptions['process'], concurrency = 1) {
  const clock = new FakeClock();
  const queue = createWorkQueue({ clock, log: silentLog, process, concurrency, random: () => 0 });
  return { clock, queue };
}

test('a key that is added many times is handled once', async () => {
  const handled: string[] = [];
  const { clock, queue } = setUp(async (key) => void handled.push(key));
  for (let i = 0; i < 100; i++) queue.add('a');
  queue.add('b');
  assert.equal(queue.size, 2);
  queue.start();
  await clock.advance(0);
  assert.deepEqual(handled, ['a', 'b']);
});

test('a key added while it is handled is handled once more, never twice at a time', async () => {
  let running = 0;
  let most = 0;
  let calls = 0;
  const gate = Promise.withResolvers<void>();
  const { clock, queue } = setUp(async () => {
    calls++;
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
  }, 4);
  queue.start();
  queue.add('a');
  await clock.advance(0);
  queue.add('a');
  queue.add('a');
  await clock.advance(0);
  gate.resolve();
  await clock.advance(0);
  assert.deepEqual({ calls, most }, { calls: 2, most: 1 });
});

test('no more keys than the concurrency are handled at once', async () => {
  let running = 0;
  let most = 0;
  const { clock, queue } = setUp(async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
  }, 3);
  queue.start();
  for (let i = 0; i < 20; i++) queue.add(`key-${i}`);
  for (let i = 0; i < 20; i++) await clock.advance(0);
  assert.equal(most, 3);
  assert.equal(queue.size, 0);
});

test('a failing key waits longer each time, up to two minutes, and others go on', async () => {
  const times: number[] = [];
  const handled: string[] = [];
  const clock = new FakeClock(0);
  const queue = createWorkQueue({
    clock,
    log: silentLog,
    random: () => 0,
    process: async (key) => {
      if (key === 'good') return void handled.push(key);
      times.push(clock.nowMs());
      throw new Error('no');
    },
  });
  queue.start();
  queue.add('bad');
  queue.add('good');
  await clock.advance(700_000);
  assert.deepEqual(times.slice(0, 5), [0, 200, 600, 1400, 3000]);
  const waits = times.slice(1).map((time, index) => time - times[index]!);
  assert.equal(Math.max(...waits), 120_000);
  assert.deepEqual(handled, ['good']);
});

test('success forgets the failures', async () => {
  const times: number[] = [];
  const clock = new FakeClock(0);
  const queue = createWorkQueue({
    clock,
    log: silentLog,
    random: () => 0,
    process: async () => {
      times.push(clock.nowMs());
      if (times.length !== 3) throw new Error('no');
    },
  });
  queue.start();
  queue.add('a');
  await clock.advance(10_000);
  queue.add('a');
  await clock.advance(200);
  assert.deepEqual(times, [0, 200, 600, 10_000, 10_200]);
});

test('a returned number brings the key back, and the earliest of several delays counts', async () => {
  const times: number[] = [];
  const clock = new FakeClock(0);
  const queue = createWorkQueue({
    clock,
    log: silentLog,
    process: async () => {
      times.push(clock.nowMs());
      return times.length === 1 ? 5000 : undefined;
    },
  });
  queue.start();
  queue.add('a');
  await clock.advance(1000);
  queue.addAfter('a', 500);
  queue.addAfter('a', 60_000);
  await clock.advance(100_000);
  assert.deepEqual(times, [0, 1500]);
});

test('stop waits for the key in hand and takes no more', async () => {
  const gate = Promise.withResolvers<void>();
  const handled: string[] = [];
  const { clock, queue } = setUp(async (key) => {
    await gate.promise;
    handled.push(key);
  });
  queue.start();
  queue.add('a');
  queue.add('b');
  await clock.advance(0);
  const stopped = queue.stop();
  queue.add('c');
  gate.resolve();
  await stopped;
  await clock.advance(1000);
  assert.deepEqual(handled, ['a']);
});
