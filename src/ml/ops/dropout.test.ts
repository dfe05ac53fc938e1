import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differentiable, gradients } from '../autodiff.ts';
import { Graph } from '../graph.ts';
import { nodeRuntime } from '../node/onnxruntime.ts';
import * as onnx from '../primitives.ts';
import { drawAll } from '../random-inputs.ts';
import { tensor } from '../tensor.ts';
import { dropout } from './dropout.ts';

async function run(seed: number): Promise<{ y: number[]; dx: number[] }> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['N', 1000]);
  const y = dropout(x, 0.25, onnx.randomUniformLike(x, seed));
  const total = onnx.reduceSum(onnx.reduceSum(y, 1), 0);
  const ones = onnx.div(x, x);
  differentiable([y], total, (dy) => [onnx.mul(ones, dy)]);
  graph.output('y', y);
  graph.output('dx', gradients(total, [x])[0]!);
  const session = await nodeRuntime.open(graph.toModel(), {});
  const random = drawAll(graph.randomInputs, { step: 0, batchSize: 1 });
  const outputs = await session.run({ x: tensor(new Float32Array(1000).fill(1), [1, 1000]), ...random });
  return { y: [...outputs.y!.data].map(Number), dx: [...outputs.dx!.data].map(Number) };
}

test('dropout keeps the mean, and its gradient passes where the value passed', async () => {
  const { y, dx } = await run(3);
  assert.deepEqual(dx, y, 'with ones as input and gradient both are the mask');
  const dropped = y.filter((value) => value === 0).length;
  assert.ok(dropped > 200 && dropped < 300, `${dropped} of 1000 dropped`);
  assert.ok(y.every((value) => value === 0 || Math.abs(value - 4 / 3) < 1e-6));
});

test('the same seed drops the same values', async () => {
  assert.deepEqual(await run(5), await run(5));
  assert.notDeepEqual(await run(5), await run(6));
});
