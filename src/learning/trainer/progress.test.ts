import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrainingProgress } from '../../api/kinds/trainingJob.ts';
import { FakeClock } from '../../base/clock.ts';
import { progressOf } from './progress.ts';

test('pace and time left are those of this run, whatever was done before it', async () => {
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const told: TrainingProgress[] = [];
  const callback = progressOf({ clock, resumedFromStep: 25, tell: (progress) => told.push(progress) });
  const model = {
    weights: new Float32Array(),
    learningRate: 1,
    weightsFile: () => new Uint8Array(),
    stopTraining: false,
  };
  await callback.onTrainBegin!({ epochs: 4, examples: 1000, batchSize: 50 }, model);
  // From the sixth batch of the second epoch on: 100 examples a second.
  for (const seen of [300, 400, 500]) {
    callback.onBatchEnd!({ epoch: 1, seen, loss: 0.5, accuracy: Number.NaN });
    await clock.advance(1000);
  }
  assert.equal(told[0]!.examplesPerSecond, undefined);
  const { updateTime, ...last } = told.at(-1)!;
  assert.deepEqual(last, {
    epoch: 2,
    epochs: 4,
    step: 30,
    steps: 80,
    loss: 0.5,
    metrics: { loss: 0.5 },
    examplesPerSecond: 100,
    etaSeconds: 25,
    resumedFromStep: 25,
  });
  assert.equal(updateTime, '2026-01-01T00:00:02Z');
  await callback.onEpochEnd!(1, { loss: 0.4, accuracy: 0.75, val_loss: 0.6 });
  assert.deepEqual(told.at(-1)!.metrics, { loss: 0.4, accuracy: 0.75, val_loss: 0.6 });
  assert.equal(told.at(-1)!.step, 40);
});

test('where the data do not say how many they are, the epoch is all that is known', () => {
  const told: TrainingProgress[] = [];
  const callback = progressOf({
    clock: new FakeClock(),
    resumedFromStep: undefined,
    tell: (progress) => told.push(progress),
  });
  callback.onBatchEnd!({ epoch: 0, seen: 64, loss: 1, accuracy: 0.1 });
  const [{ epoch, step, etaSeconds }] = told as [TrainingProgress];
  assert.deepEqual([epoch, step, etaSeconds], [1, undefined, undefined]);
});
