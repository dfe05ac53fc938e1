import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/kinds/pod.ts';
import { DriftWatch, driftLookMs, worstDrift } from './drift.ts';
import type { PodQuestions } from './pod-questions.ts';

const report = (score: number) => ({ drifted: score > 0.25, score, threshold: 0.25, rows: 500 });

test('the pod that drifted most counts, and what makes no sense counts for nothing', () => {
  const nonsense = [undefined, null, 'x', {}, { drifted: 'yes', score: 9, threshold: 1 }, report(Number.NaN)];
  assert.equal(worstDrift([...nonsense, report(0)]), undefined);
  assert.deepEqual(worstDrift([report(0.1), report(0.4), ...nonsense]), {
    drifted: true,
    score: 0.4,
    threshold: 0.25,
  });
});

test('pods are asked now and then, and what they told holds in between', async () => {
  let [nowMs, asked, score] = [0, 0, 0.1];
  const questions = {
    drift: async (_: unknown, pods: Pod[]) => {
      asked += pods.length;
      return [report(score)];
    },
  } as unknown as PodQuestions;
  const watch = new DriftWatch({ clock: { nowMs: () => nowMs, after: () => () => {} }, questions });
  const ready: Pod = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  const look = () => watch.of('ns/m', {}, [ready, {}]);
  assert.equal((await look())?.score, 0.1);
  score = 0.5;
  nowMs += driftLookMs - 1;
  assert.equal((await look())?.score, 0.1);
  nowMs += 1;
  assert.deepEqual(await look(), { drifted: true, score: 0.5, threshold: 0.25 });
  assert.equal(asked, 2, 'one that is not ready is not asked');
});
