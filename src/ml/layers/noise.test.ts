import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../graph.ts';
import { gaussianNoise, input, lstm, multiHeadAttention, nodeRuntime, spatialDropout2d } from '../index.ts';
import { inference } from '../lower.ts';
import * as onnx from '../primitives.ts';
import { drawAll } from '../random-inputs.ts';
import { tensor } from '../tensor.ts';
import type { Layer } from './layer.ts';

/** What a layer without parameters makes of ones [2, 4, 4, 50] in a training step, or outside of one. */
async function run(layer: Layer, isTraining: boolean): Promise<number[]> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['N', 4, 4, 50]);
  const y = layer.forward(x, [], {
    ...inference,
    isTraining,
    inputs: [x],
    masks: [],
    random: (like, distribution) =>
      distribution === 'uniform' ? onnx.randomUniformLike(like, 1) : onnx.randomNormalLike(like, 1),
  });
  graph.output('y', y);
  const session = await nodeRuntime.open(graph.toModel(), { threads: 1 });
  const random = drawAll(graph.randomInputs, { step: 0, batchSize: 2 });
  const ones = tensor(new Float32Array(1600).fill(1), [2, 4, 4, 50]);
  const outputs = await session.run({ x: ones, ...random });
  await session.release();
  return [...outputs.y!.data].map(Number);
}

test('spatialDropout2d drops whole channels, and only while training', async () => {
  const y = await run(spatialDropout2d(0.5), true);
  const channels = Array.from({ length: 100 }, (_, index) => {
    const [example, channel] = [Math.floor(index / 50), index % 50];
    return y.filter((_value, at) => Math.floor(at / 800) === example && at % 50 === channel);
  });
  assert.ok(channels.every((values) => new Set(values).size === 1 && [0, 2].includes(values[0]!)));
  const dropped = channels.filter(([first]) => first === 0).length;
  assert.ok(dropped > 25 && dropped < 75, `${dropped} of 100 dropped`);
  assert.ok((await run(spatialDropout2d(0.5), false)).every((value) => value === 1));
});

test('gaussianNoise adds numbers of the given deviation, and only while training', async () => {
  const noise = (await run(gaussianNoise(0.3), true)).map((value) => value - 1);
  const deviation = Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / noise.length);
  assert.ok(Math.abs(deviation - 0.3) < 0.03, `${deviation}`);
  assert.ok((await run(gaussianNoise(0.3), false)).every((value) => value === 1));
});

test('rates and inputs that make no sense are refused', () => {
  assert.throws(() => spatialDropout2d(1), /SpatialDropout2D\(1\): the rate must be from 0 to below 1/);
  assert.throws(() => spatialDropout2d(0.1).apply(input([3])), /SpatialDropout2D needs a 4-D input/);
  const attention = multiHeadAttention(2, 3);
  assert.throws(() => attention.apply(input([3, 2]), input([4])), /needs a query \[N, T, ...\] and value/);
  assert.deepEqual(lstm(2, { returnSequences: true }).outputShape(['N', 7, 3]), ['N', 7, 2]);
});
