import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { Metrics } from '../base/metrics.ts';
import type { Answered, Ask, Inference } from './inference.ts';
import { Latencies } from './latencies.ts';
import { waitingPerRequest, withLimits } from './limits.ts';

const target = { name: 'm', version: undefined };

/** An inference whose runs end when the test says so. */
function playedInference() {
  const runs: { end(): void; fail(error: Error): void }[] = [];
  const inference: Inference = {
    latencies: new Latencies(new Metrics()),
    infer: <A extends Ask>() =>
      new Promise<Answered<A>>((resolve, reject) => {
        // Nobody here looks at the answer.
        runs.push({ end: () => resolve({} as Answered<A>), fail: reject });
      }),
  };
  return { runs, inference };
}
const ask = (inference: Inference) => inference.infer(target, () => ({ inputs: {}, outputs: undefined }));
/** Lets everything happen that waits for nothing else. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('so many requests are under way at a time, as many times ten wait, and one more is refused', async () => {
  const { runs, inference } = playedInference();
  const limited = withLimits(inference, { requestsMax: 2, timeoutMs: 0 }, new FakeClock());
  const asked = Array.from({ length: 2 * (1 + waitingPerRequest) }, () => ask(limited));
  await settle();
  assert.equal(runs.length, 2);
  await assert.rejects(ask(limited), /^.*2 requests are under way and 20 wait; a pod takes no more/);
  runs[0]!.fail(new Error('it broke'));
  await assert.rejects(asked[0]!, /it broke/);
  await settle();
  assert.equal(runs.length, 3, 'one that fails makes room too');
  for (let at = 1; at < asked.length; at++) {
    runs[at]!.end();
    await asked[at];
    await settle();
  }
  assert.equal(runs.length, asked.length);
});

test('a request that takes too long is answered so, and one that waited too long is never begun', async () => {
  const clock = new FakeClock();
  const { runs, inference } = playedInference();
  const limited = withLimits(inference, { requestsMax: 1, timeoutMs: 2_000 }, clock);
  const asked = [ask(limited), ask(limited)];
  await settle();
  clock.advance(2_000);
  for (const each of asked) await assert.rejects(each, /no answer within 2 s/);
  assert.equal(runs.length, 1);
  runs[0]!.end();
  await settle();
  assert.equal(runs.length, 1);
  const next = ask(limited);
  await settle();
  runs[1]!.end();
  await next;
});

test('without bounds nothing stands between', () => {
  const { inference } = playedInference();
  assert.equal(withLimits(inference, { requestsMax: 0, timeoutMs: 0 }, new FakeClock()), inference);
});
