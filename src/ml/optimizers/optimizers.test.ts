import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keras } from '../fixtures/keras.ts';
import { Graph } from '../graph.ts';
import { nodeRuntime } from '../node/onnxruntime.ts';
import { tensor } from '../tensor.ts';
import { adam } from './adam.ts';
import { adamW } from './adam-w.ts';
import type { Optimizer } from './optimizer.ts';
import { rmsprop } from './rmsprop.ts';
import { learningRateAt } from './schedules.ts';
import { sgd } from './sgd.ts';
import { optimizerStep } from './step.ts';

const gradientsOfSteps = [0.5, -2, 0.25, 1e-3];

/** The weight after each step, from 1, as the graph computes it. */
async function trajectory(optimizer: Optimizer): Promise<number[]> {
  const graph = new Graph();
  const [weights, gradient] = ['w', 'g'].map((name) => graph.input(name, 'float32', [1]));
  const slots = optimizer.slots.map((name) => graph.input(name, 'float32', [1]));
  const iteration = graph.input('t', 'float32', []);
  const learningRate = graph.input('rate', 'float32', []);
  const next = optimizerStep(optimizer, {
    weights: weights!,
    gradients: [gradient!],
    slots,
    iteration,
    learningRate,
  });
  graph.output('next_w', next.weights);
  optimizer.slots.forEach((name, index) => {
    graph.output(`next_${name}`, next.slots[index]!);
  });
  const session = await nodeRuntime.open(graph.toModel(), {});
  const one = (value: number) => tensor(Float32Array.of(value), [1]);
  const scalar = (value: number) => tensor(Float32Array.of(value), []);
  let state = Object.fromEntries([['w', one(1)], ...optimizer.slots.map((name) => [name, one(0)])]);
  const path: number[] = [];
  for (const [step, value] of gradientsOfSteps.entries()) {
    const rate = scalar(learningRateAt(optimizer.learningRate, step));
    const outputs = await session.run({ ...state, g: one(value), t: scalar(step + 1), rate });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, outputs[`next_${name}`]!]));
    path.push(Number(state.w!.data[0]));
  }
  return path;
}

const assertClose = (actual: number[], expected: number[]): void => {
  actual.forEach((value, index) => {
    assert.ok(
      Math.abs(value - expected[index]!) < 1e-6,
      `step ${index + 1}: ${value} against ${expected[index]}`,
    );
  });
};

test("adam follows Keras' update rule with Keras' defaults", async () => {
  let [w, m, v] = [1, 0, 0];
  const expected = gradientsOfSteps.map((g, index) => {
    const t = index + 1;
    m += (g - m) * (1 - 0.9);
    v += (g * g - v) * (1 - 0.999);
    w -= (m * (1e-3 * Math.sqrt(1 - 0.999 ** t))) / (1 - 0.9 ** t) / (Math.sqrt(v) + 1e-7);
    return w;
  });
  assertClose(await trajectory(adam()), expected);
});

test('sgd follows the gradient, with and without momentum', async () => {
  let w = 1;
  assertClose(
    await trajectory(sgd()),
    gradientsOfSteps.map((g) => (w -= 0.01 * g)),
  );
  let [position, velocity] = [1, 0];
  const expected = gradientsOfSteps.map((g) => {
    velocity = 0.9 * velocity - 0.1 * g;
    position += velocity;
    return position;
  });
  assertClose(await trajectory(sgd({ learningRate: 0.1, momentum: 0.9 })), expected);
});

const sameAsKeras: Record<string, Optimizer> = {
  'sgd nesterov': sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
  rmsprop: rmsprop(),
  'rmsprop momentum': rmsprop({ momentum: 0.9 }),
  'rmsprop centered': rmsprop({ momentum: 0.5, centered: true }),
  adamW: adamW(),
};

for (const [name, optimizer] of Object.entries(sameAsKeras)) {
  test(`${name} takes the steps that Keras takes`, async () => {
    const expected = keras.optimizers[name]!;
    assert.equal(expected.length, gradientsOfSteps.length);
    assertClose(await trajectory(optimizer), expected);
  });
}
