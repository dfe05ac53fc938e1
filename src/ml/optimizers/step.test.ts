import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kerasTraining } from '../fixtures/keras-training.ts';
import { Graph } from '../graph.ts';
import { nodeRuntime } from '../node/onnxruntime.ts';
import { slice } from '../primitives.ts';
import { tensor } from '../tensor.ts';
import { adam } from './adam.ts';
import { adamW } from './adam-w.ts';
import type { Optimizer } from './optimizer.ts';
import { rmsprop } from './rmsprop.ts';
import { exponentialDecay, learningRateAt } from './schedules.ts';
import { sgd } from './sgd.ts';
import { optimizerStep } from './step.ts';

const gradientsOfSteps = [
  [0.5, -2, 0.3],
  [3, 0.1, -0.2],
  [0.25, 0, 4],
  [1e-3, -1, 0.01],
];

/** Two parameters, of two elements and of one: all three after each step. */
async function path(optimizer: Optimizer): Promise<number[]> {
  const graph = new Graph();
  const vector = (name: string) => graph.input(name, 'float32', [3]);
  const gradient = vector('gradient');
  const next = optimizerStep(optimizer, {
    weights: vector('weights'),
    gradients: [slice(gradient, 0, 0, 2), slice(gradient, 0, 2, 3)],
    slots: optimizer.slots.map(vector),
    iteration: graph.input('iteration', 'float32', []),
    learningRate: graph.input('rate', 'float32', []),
  });
  graph.output('next_weights', next.weights);
  optimizer.slots.forEach((name, index) => {
    graph.output(`next_${name}`, next.slots[index]!);
  });
  const session = await nodeRuntime.open(graph.toModel(), {});
  const three = (values: number[]) => tensor(Float32Array.from(values), [3]);
  const names = ['weights', ...optimizer.slots];
  let state = Object.fromEntries(
    names.map((name) => [name, three(name === 'weights' ? [1, -2, 0.5] : [0, 0, 0])]),
  );
  const found: number[] = [];
  for (const [step, values] of gradientsOfSteps.entries()) {
    const scalar = (value: number) => tensor(Float32Array.of(value), []);
    const rate = scalar(learningRateAt(optimizer.learningRate, step));
    const outputs = await session.run({
      ...state,
      gradient: three(values),
      iteration: scalar(step + 1),
      rate,
    });
    state = Object.fromEntries(names.map((name) => [name, outputs[`next_${name}`]!]));
    found.push(...Array.from(state.weights!.data, Number));
  }
  return found;
}

const cases: Record<string, Optimizer> = {
  'sgd clipnorm': sgd({ learningRate: 0.1, clipnorm: 1 }),
  'sgd clipvalue': sgd({ learningRate: 0.1, clipvalue: 0.4 }),
  'sgd globalClipnorm': sgd({ learningRate: 0.1, globalClipnorm: 1 }),
  'sgd weightDecay': sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.05 }),
  'rmsprop weightDecay': rmsprop({ learningRate: 0.01, weightDecay: 0.05 }),
  'adam weightDecay clipnorm': adam({ learningRate: 0.01, weightDecay: 0.05, clipnorm: 0.5 }),
  'adam amsgrad': adam({ learningRate: 0.01, amsgrad: true }),
  'adamW amsgrad': adamW({ learningRate: 0.01, amsgrad: true }),
  'sgd schedule': sgd({ learningRate: exponentialDecay(0.1, 2, 0.5) }),
};

test('every optimizer of the fixtures is tried', () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(kerasTraining.optimizers).sort());
});

for (const [name, optimizer] of Object.entries(cases)) {
  test(`${name} takes the steps that Keras takes`, async () => {
    const expected = kerasTraining.optimizers[name]!;
    for (const [index, value] of (await path(optimizer)).entries()) {
      assert.ok(
        Math.abs(value - expected[index]!) < 2e-6,
        `number ${index}: ${value} against ${expected[index]}`,
      );
    }
  });
}

test('two ways to clip at once are refused, as is a norm of zero', () => {
  assert.throws(() => sgd({ clipnorm: 1, clipvalue: 1 }), /only one of clipnorm and clipvalue can be set/);
  assert.throws(() => adam({ globalClipnorm: 0 }), /globalClipnorm must be above 0, got 0/);
});
