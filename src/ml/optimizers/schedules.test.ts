import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kerasTraining } from '../fixtures/keras-training.ts';
import * as s from './schedules.ts';

const schedules: Record<string, s.Schedule> = {
  exponentialDecay: s.exponentialDecay(0.1, 10, 0.5),
  'exponentialDecay staircase': s.exponentialDecay(0.1, 10, 0.5, { staircase: true }),
  inverseTimeDecay: s.inverseTimeDecay(0.1, 10, 0.5),
  'inverseTimeDecay staircase': s.inverseTimeDecay(0.1, 10, 0.5, { staircase: true }),
  piecewiseConstantDecay: s.piecewiseConstantDecay([5, 20, 30], [1, 0.5, 0.25, 0.1]),
  polynomialDecay: s.polynomialDecay(0.1, 20, { power: 2 }),
  'polynomialDecay cycle': s.polynomialDecay(0.1, 20, { endLearningRate: 0.01, cycle: true }),
  cosineDecay: s.cosineDecay(0.1, 30),
  'cosineDecay warmup': s.cosineDecay(0.01, 30, { alpha: 0.1, warmupTarget: 0.2, warmupSteps: 10 }),
  cosineDecayRestarts: s.cosineDecayRestarts(0.1, 10, { mMul: 0.5, alpha: 0.05 }),
  'cosineDecayRestarts even': s.cosineDecayRestarts(0.1, 10, { tMul: 1 }),
};

test('every schedule of the fixtures is tried', () => {
  assert.deepEqual(Object.keys(schedules).sort(), Object.keys(kerasTraining.schedules).sort());
});

for (const [name, schedule] of Object.entries(schedules)) {
  test(`${name} gives the rates that Keras gives`, () => {
    kerasTraining.steps.forEach((step, index) => {
      const [rate, expected] = [s.learningRateAt(schedule, step), kerasTraining.schedules[name]![index]!];
      assert.ok(Math.abs(rate - expected) < 1e-6, `step ${step}: ${rate} against ${expected}`);
    });
  });
}

test('a schedule that cannot be is refused', () => {
  assert.throws(() => s.exponentialDecay(0.1, 0, 0.5), /decaySteps must be above 0, got 0/);
  assert.throws(
    () => s.piecewiseConstantDecay([5], [1]),
    /one value more than boundaries, got 1 .* and 1 values/,
  );
});
