import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dense, input, nodeRuntime, sequential, tensor } from '../index.ts';
import { objectiveOf } from '../losses/objective.ts';
import { sparseCategoricalCrossentropy } from '../losses/sparse-categorical-crossentropy.ts';
import { evaluateProgram, trainProgram } from '../programs.ts';
import { randomGenerator } from '../random.ts';
import { adam } from './adam.ts';
import type { Optimizer } from './optimizer.ts';
import { proximal } from './proximal.ts';
import { sgd } from './sgd.ts';

const mu = 0.7;
const loss = sparseCategoricalCrossentropy({ fromLogits: true });
const network = sequential([input([3]), dense(4, { activation: 'tanh' }), dense(2)], { seed: 3 });
const { parameterCount } = network.architecture;
const random = randomGenerator(5);
const vector = () => Float32Array.from({ length: parameterCount }, () => random() - 0.5);
const [weights, anchor] = [vector(), vector()];
const examples = {
  x: tensor(Float32Array.from({ length: 12 }, random), [4, 3]),
  y: tensor(Int32Array.of(0, 1, 1, 0), [4]),
  sample_weight: tensor(new Float32Array(4).fill(1), [4]),
};
const flat = (data: Float32Array) => tensor(data, [parameterCount]);

/** One step of the training graph from `weights`, whose proximal term, if it has one, pulls to `anchor`. */
async function step(optimizer: Optimizer): Promise<Float32Array> {
  const session = await nodeRuntime.open(
    trainProgram(network.architecture, objectiveOf(network.architecture, loss), optimizer, 0).bytes,
    {},
  );
  const slots = optimizer.slots.map((name) => [
    name,
    flat(name === 'anchor' ? anchor : new Float32Array(parameterCount)),
  ]);
  const { next_weights } = await session.run({
    ...examples,
    ...Object.fromEntries(slots),
    weights: flat(weights),
    iteration: tensor(Float32Array.of(1), []),
    learning_rate: tensor(Float32Array.of(1), []),
  });
  return next_weights!.data as Float32Array;
}

test("a step along the proximal objective's gradient equals its finite differences", async () => {
  const session = await nodeRuntime.open(
    evaluateProgram(network.architecture, objectiveOf(network.architecture, loss)),
    {},
  );
  const objective = async (at: Float32Array) => {
    const { loss: value } = await session.run({ ...examples, weights: flat(at) });
    const away = at.reduce((sum, weight, index) => sum + (weight - anchor[index]!) ** 2, 0);
    return Number(value!.data[0]) + (mu / 2) * away;
  };
  const next = await step(proximal(sgd({ learningRate: 1 }), { mu }));
  const width = 1e-2;
  for (let index = 0; index < parameterCount; index += 1) {
    const shifted = (by: number) => weights.map((weight, at) => (at === index ? weight + by : weight));
    const slope = ((await objective(shifted(width))) - (await objective(shifted(-width)))) / (2 * width);
    const gradient = weights[index]! - next[index]!;
    assert.ok(Math.abs(gradient - slope) < 5e-4, `parameter ${index}: ${gradient}, by differences ${slope}`);
  }
});

test('the term enters before the optimizer, so that Adam sees the gradient of the whole objective', async () => {
  const plain = await step(sgd({ learningRate: 1 }));
  const next = await step(proximal(adam({ learningRate: 1, epsilon: 1e-3 }), { mu }));
  weights.forEach((weight, index) => {
    const gradient = weight - plain[index]! + mu * (weight - anchor[index]!);
    // Adam's first step from empty slots; Keras' epsilon is beside the moment that is not yet corrected.
    const expected = weight - gradient / (Math.abs(gradient) + 1e-3 / Math.sqrt(1 - 0.999));
    assert.ok(Math.abs(next[index]! - expected) < 1e-3, `parameter ${index}: ${next[index]}, ${expected}`);
  });
});

test('a proximal term keeps a training near the weights that it began with', async () => {
  const x = tensor(Float32Array.from({ length: 192 }, random), [64, 3]);
  const y = Int32Array.from({ length: 64 }, (_, row) => Number(x.data[row * 3]! > x.data[row * 3 + 1]!));
  const moved = async (optimizer: Optimizer) => {
    network.weights = weights;
    network.compile({ optimizer, loss });
    await network.fit(x, y, { epochs: 10 });
    return Math.hypot(...network.weights.map((weight, index) => weight - weights[index]!));
  };
  const free = await moved(sgd({ learningRate: 0.5 }));
  const held = await moved(proximal(sgd({ learningRate: 0.5 }), { mu: 1 }));
  assert.ok(held < free / 2, `moved ${held}, without the term ${free}`);
  await network.close();
});
