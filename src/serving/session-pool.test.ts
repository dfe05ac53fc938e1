import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from './datatype.ts';
import type { Session } from './session.ts';
import { poolSessions } from './session-pool.ts';

const one: Record<string, Tensor> = { x: { datatype: 'FP32', shape: [1], data: Float32Array.of(1) } };

/** Its runs end when the test says so. */
function createHeld() {
  const runs: (() => void)[] = [];
  let isClosed = false;
  const session: Session = {
    inputs: [],
    outputs: [],
    run: (tensors) => new Promise((resolve) => runs.push(() => resolve(tensors))),
    async close() {
      isClosed = true;
    },
  };
  return { session, runs, isClosed: () => isClosed };
}

test('a run goes to the session with the fewest under way, and closing closes all', async () => {
  const [left, right] = [createHeld(), createHeld()];
  const pool = poolSessions([left.session, right.session]);
  const first = pool.run(one);
  const second = pool.run(one);
  assert.deepEqual([left.runs.length, right.runs.length], [1, 1]);
  right.runs[0]!();
  assert.deepEqual(await second, one);
  const third = pool.run(one);
  assert.deepEqual([left.runs.length, right.runs.length], [1, 2], 'the right one was free');
  left.runs[0]!();
  right.runs[1]!();
  await Promise.all([first, third]);
  await pool.close();
  assert.ok(left.isClosed() && right.isClosed());
});

test('a run that fails makes room as one that does not', async () => {
  const failing = { ...createHeld().session, run: () => Promise.reject(new Error('no')) };
  const held = createHeld();
  const pool = poolSessions([failing, held.session]);
  await assert.rejects(pool.run(one), /no/);
  await assert.rejects(pool.run(one), /no/, 'the first is free again, so it is asked again');
  assert.equal(held.runs.length, 0);
});
