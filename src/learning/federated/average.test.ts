import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dense, input, meanSquaredError, sequential, sgd, tensor } from '../../ml/index.ts';
import { randomGenerator } from '../../ml/random.ts';
import { FederatedAverage } from './average.ts';
import { gaussianNoise, secretNormal } from './noise.ts';
import { PrivateAverage } from './private-average.ts';
import { stalenessWeight } from './staleness.ts';
import { clipToNorm, l2Norm } from './vector.ts';

test('one local step on equal shards averages to one central step on all records', async () => {
  const random = randomGenerator(1);
  const x = Float32Array.from({ length: 32 * 3 }, random);
  const y = Float32Array.from({ length: 32 }, random);
  const model = sequential([input([3]), dense(4, { activation: 'tanh' }), dense(1)], { seed: 2 });
  const start = model.weights.slice();
  const stepOn = async (from: number, to: number) => {
    model.weights = start;
    model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: meanSquaredError(), metrics: [] });
    const rows = tensor(x.slice(from * 3, to * 3), [to - from, 3]);
    await model.fit(rows, tensor(y.slice(from, to), [to - from, 1]), { batchSize: to - from });
    return model.weights;
  };
  const central = await stepOn(0, 32);
  const average = new FederatedAverage(start.length);
  for (const from of [0, 8, 16, 24]) {
    const next = await stepOn(from, from + 8);
    const delta = next.map((weight, index) => weight - start[index]!);
    average.add({ delta, samples: 8, roundsLate: 0 });
  }
  await model.close();
  average.applyTo(start).forEach((weight, index) => {
    assert.ok(Math.abs(weight - central[index]!) < 1e-6, `weight ${index}: ${weight}, ${central[index]}`);
  });
});

test('an update counts by its examples', () => {
  const average = new FederatedAverage(1);
  average.add({ delta: Float32Array.of(1), samples: 30, roundsLate: 0 });
  average.add({ delta: Float32Array.of(-1), samples: 10, roundsLate: 0 });
  assert.deepEqual([...average.applyTo(Float32Array.of(5))], [5.5]);
});

test('a late update counts less the later it is, and takes nothing from the fresh ones', () => {
  assert.equal(stalenessWeight(0), 1);
  assert.equal(stalenessWeight(3), 0.5);
  const average = new FederatedAverage(2);
  average.add({ delta: Float32Array.of(2, 0), samples: 10, roundsLate: 0 });
  average.add({ delta: Float32Array.of(0, 2), samples: 10, roundsLate: 3 });
  assert.deepEqual([...average.applyTo(new Float32Array(2))], [1, 0.5]);
});

test('an average of nothing leaves the weights as they are', () => {
  assert.deepEqual([...new FederatedAverage(2).applyTo(Float32Array.of(1, 2))], [1, 2]);
});

test('clipping shortens a long update to the norm and leaves a short one', () => {
  const long = clipToNorm(Float32Array.of(3, 4), 1);
  assert.ok(Math.abs(l2Norm(long) - 1) < 1e-6);
  assert.ok(Math.abs(long[0]! / long[1]! - 0.75) < 1e-6);
  const short = Float32Array.of(0.3, 0.4);
  assert.equal(clipToNorm(short, 1), short);
});

test('one client changes a private sum by no more than the norm, whatever it sends', () => {
  const options = { clipNorm: 0.5, noiseMultiplier: 0, clientsExpected: 4, normal: () => 0 };
  const sumOf = (...deltas: Float32Array[]) => {
    const average = new PrivateAverage(2, options);
    for (const delta of deltas) average.add({ delta });
    return average.applyTo(new Float32Array(2));
  };
  const [others, huge] = [Float32Array.of(0.1, 0.2), Float32Array.of(-1e30, 1e30)];
  const [without, within] = [sumOf(others), sumOf(others, huge)];
  assert.ok(l2Norm(within.map((value, index) => value - without[index]!)) <= 0.5 / 4 + 1e-6);
});

test("a private average's noise has the deviation of noiseMultiplier times clipNorm by the cohort", () => {
  const options = { clipNorm: 0.5, noiseMultiplier: 2, clientsExpected: 4, normal: secretNormal() };
  const length = 20_000;
  const noise = new PrivateAverage(length, options).applyTo(new Float32Array(length));
  const deviation = l2Norm(noise) / Math.sqrt(length);
  // The estimate's own deviation is 0.5 %: 10 of them.
  assert.ok(Math.abs(deviation / 0.25 - 1) < 0.05, `deviation ${deviation}`);
});

test('secret noise is normal: its mean, spread and tails', () => {
  const count = 100_000;
  const drawn = gaussianNoise(count, 1, secretNormal());
  const mean = drawn.reduce((sum, value) => sum + value, 0) / count;
  const within = (bound: number) => drawn.filter((value) => Math.abs(value) < bound).length / count;
  assert.ok(Math.abs(mean) < 0.03, `mean ${mean}`);
  assert.ok(Math.abs(within(1) - 0.6827) < 0.02, `within 1: ${within(1)}`);
  assert.ok(Math.abs(within(2) - 0.9545) < 0.02, `within 2: ${within(2)}`);
});
