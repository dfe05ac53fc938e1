import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differentiable, gradients } from './autodiff.ts';
import { Graph } from './graph.ts';
import { nodeRuntime } from './node/onnxruntime.ts';
import { decodeModel } from './onnx/codec.ts';
import { relu } from './ops/activations.ts';
import { linear } from './ops/linear.ts';
import { maximum } from './ops/maximum.ts';
import * as onnx from './primitives.ts';
import { tensor } from './tensor.ts';

test('a value that is used twice gets the sum of both gradients', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', []);
  const square = differentiable([x, x], onnx.mul(x, x), (dy) => [onnx.mul(dy, x), onnx.mul(dy, x)]);
  graph.output('gradient', gradients(square, [x])[0]!);
  const session = await nodeRuntime.open(graph.toModel(), {});
  const { gradient } = await session.run({ x: tensor(Float32Array.of(3), []) });
  assert.deepEqual([...gradient!.data], [6]);
});

test('gradients that nobody wants are not in the file', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['N', 2]);
  const weights = graph.input('w', 'float32', [2, 2]);
  const total = onnx.reduceSum(onnx.reduceSum(linear(x, weights), 1), 0);
  const scalar = differentiable([graph.tape[0]!.output], total, (dy) => [
    onnx.mul(dy, graph.tape[0]!.output),
  ]);
  graph.output('dw', gradients(scalar, [weights])[0]!);
  const gemms = decodeModel(graph.toModel()).graph!.node!.filter((node) => node.opType === 'Gemm');
  assert.equal(gemms.length, 2, 'the product and its gradient for w, none for x');
});

test('a variable on which nothing depends is reported', () => {
  const graph = new Graph();
  const [x, y] = [graph.input('x', 'float32', []), graph.input('y', 'float32', [])];
  assert.throws(() => gradients(relu(x), [y]), /does not depend on y/);
});

test('of equal values the first gets the whole gradient', async () => {
  const graph = new Graph();
  const values = ['a', 'b', 'c'].map((name) => graph.input(name, 'float32', [2]));
  const { max, split } = maximum(values);
  graph.output('max', max);
  split(graph.constant([1, 1])).forEach((gradient, index) => {
    graph.output(`d${index}`, gradient);
  });
  const session = await nodeRuntime.open(graph.toModel(), {});
  const [a, b, c] = [
    [5, 1],
    [5, 4],
    [5, 4],
  ].map((data) => tensor(Float32Array.from(data), [2]));
  const { max: found, d0, d1, d2 } = await session.run({ a: a!, b: b!, c: c! });
  assert.deepEqual([...found!.data], [5, 4]);
  assert.deepEqual(
    [d0, d1, d2].map((gradient) => [...gradient!.data]),
    [
      [1, 0],
      [0, 1],
      [0, 0],
    ],
  );
});
