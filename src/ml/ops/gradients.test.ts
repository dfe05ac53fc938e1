import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { differentiable, gradients } from '../autodiff.ts';
import { Graph, type Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { randomGenerator } from '../random.ts';
import type { Shape } from '../shape.ts';
import { elu, leakyRelu, relu, sigmoid, silu, softmax, softplus, tanh } from './activations.ts';
import { averagePool2d } from './average-pool2d.ts';
import { addBias } from './bias.ts';
import {
  categoricalCrossEntropyFromLogits,
  categoricalCrossEntropyFromProbabilities,
} from './categorical-cross-entropy.ts';
import { conv2d } from './conv2d.ts';
import { conv2dMaxPool } from './conv2d-max-pool.ts';
import { crossEntropyFromLogits, crossEntropyFromProbabilities } from './cross-entropy.ts';
import * as loss from './elementwise-losses.ts';
import { multiplyGain } from './gain.ts';
import { gelu, geluApproximate } from './gelu.ts';
import { globalAveragePool2d, globalMaxPool2d } from './global-pool2d.ts';
import { linear } from './linear.ts';
import { maxPool2d } from './max-pool2d.ts';
import { patchConv2dMaxPool } from './patch-conv2d-max-pool.ts';
import { reshape } from './reshape.ts';
import { scale } from './scale.ts';
import { standardize } from './standardize.ts';
import type { Window } from './window.ts';
import { zeroPadding2d } from './zero-padding2d.ts';

/** The batch size that stands for N in these tests. */
const batch = 2;

interface Case {
  name: string;
  /** Shapes of the inputs; N is `batch`. */
  inputs: ('N' | number)[][];
  op: (...inputs: Value[]) => Value;
  /** Which inputs get a gradient; all by default. */
  wanted?: number[];
  range?: readonly [number, number];
  /** float32 where onnxruntime has an operator for no other type; the test is coarser then. */
  float?: 'float32' | 'float64';
}

/** The step of the finite difference, and by how much it may be off. */
const precision = {
  float64: { step: 1e-6, tolerance: 1e-7 },
  float32: { step: 1e-2, tolerance: 5e-4 },
};

const window = (height: number, width: number, changes: Partial<Window> = {}): Window => ({
  height,
  width,
  kernel: [3, 3],
  strides: [1, 1],
  dilation: [1, 1],
  padding: 'valid',
  ...changes,
});

const image = (height: number, width: number, channels: number) => ['N' as const, height, width, channels];
const targets = ({ graph, shape, dtype }: Value) => graph.input('targets', dtype, shape);
const labels = ({ graph }: Value) => graph.input('labels', 'int64', ['N']);

const convolution = (w: Window): Pick<Case, 'inputs' | 'op'> => ({
  inputs: [image(w.height, w.width, 2), [...w.kernel, 2, 3]],
  op: (x, kernel) => conv2d(x!, kernel!, w),
});
const pooling = (w: Window): Pick<Case, 'inputs' | 'op'> => ({
  inputs: [image(w.height, w.width, 2)],
  op: (x) => maxPool2d(x!, w),
});

const cases: Case[] = [
  { name: 'conv2d', ...convolution(window(5, 6)) },
  { name: 'conv2d, same padding', ...convolution(window(5, 6, { padding: 'same' })) },
  { name: 'conv2d, stride 2', ...convolution(window(7, 6, { strides: [2, 2] })) },
  {
    name: 'conv2d, stride 2, same padding',
    ...convolution(window(6, 7, { strides: [2, 2], padding: 'same' })),
  },
  { name: 'conv2d, horizontal stride', ...convolution(window(5, 7, { strides: [1, 2] })) },
  { name: 'conv2d, dilation 2', ...convolution(window(7, 6, { dilation: [2, 2], padding: 'same' })) },
  { name: 'conv2d, 1x1', ...convolution(window(4, 3, { kernel: [1, 1] })) },
  { name: 'conv2d, 2x3', ...convolution(window(4, 5, { kernel: [2, 3], padding: 'same' })) },
  {
    name: 'conv2dMaxPool',
    inputs: [image(7, 8, 2), [3, 3, 2, 3]],
    op: (x, kernel) => conv2dMaxPool(x!, kernel!, window(7, 8), 2),
  },
  {
    name: 'conv2dMaxPool, same padding, pool 3',
    inputs: [image(7, 6, 2), [3, 3, 2, 3]],
    op: (x, kernel) => conv2dMaxPool(x!, kernel!, window(7, 6, { padding: 'same' }), 3),
  },
  {
    name: 'patchConv2dMaxPool',
    inputs: [image(8, 6, 3), [3, 3, 3, 2]],
    op: (x, kernel) => patchConv2dMaxPool(x!, kernel!, window(8, 6), 2),
    wanted: [1],
  },
  { name: 'maxPool2d', ...pooling(window(5, 6, { kernel: [2, 2], strides: [2, 2] })) },
  { name: 'maxPool2d, overlapping', ...pooling(window(5, 6, { strides: [2, 1] })) },
  { name: 'maxPool2d, same padding', ...pooling(window(5, 5, { strides: [2, 2], padding: 'same' })) },
  {
    name: 'averagePool2d, overlapping',
    inputs: [image(5, 6, 2)],
    op: (x) => averagePool2d(x!, window(5, 6, { strides: [2, 1] })),
  },
  {
    name: 'averagePool2d, same padding',
    inputs: [image(5, 4, 2)],
    op: (x) => averagePool2d(x!, window(5, 4, { strides: [2, 2], padding: 'same' })),
  },
  { name: 'globalAveragePool2d', inputs: [image(3, 2, 2)], op: (x) => globalAveragePool2d(x!) },
  { name: 'globalMaxPool2d', inputs: [image(3, 2, 2)], op: (x) => globalMaxPool2d(x!) },
  {
    name: 'zeroPadding2d',
    inputs: [image(3, 2, 2)],
    op: (x) =>
      zeroPadding2d(x!, [
        [1, 0],
        [2, 1],
      ]),
  },
  {
    name: 'linear',
    inputs: [
      ['N', 4],
      [4, 3],
    ],
    op: (x, weights) => linear(x!, weights!),
  },
  { name: 'addBias', inputs: [image(2, 3, 4), [4]], op: (x, bias) => addBias(x!, bias!) },
  { name: 'multiplyGain', inputs: [image(2, 3, 4), [4]], op: (x, gain) => multiplyGain(x!, gain!) },
  {
    name: 'standardize, along the channels',
    inputs: [image(2, 2, 4)],
    op: (x) => standardize(x!, 3, 1e-3).y,
  },
  {
    name: 'standardize, over the batch',
    inputs: [image(3, 1, 2)],
    op: (x) => standardize(reshape(x!, ['3N', 2]), 0, 0.1).y,
  },
  { name: 'relu', inputs: [['N', 6]], op: (x) => relu(x!) },
  { name: 'softmax', inputs: [['N', 4]], op: (x) => softmax(x!) },
  { name: 'softmax over the last of four axes', inputs: [image(2, 1, 3)], op: (x) => softmax(x!) },
  { name: 'sigmoid', inputs: [['N', 6]], op: (x) => sigmoid(x!) },
  { name: 'tanh', inputs: [['N', 6]], op: (x) => tanh(x!) },
  { name: 'leakyRelu', inputs: [['N', 6]], op: (x) => leakyRelu(x!, 0.3) },
  { name: 'elu', inputs: [['N', 6]], op: (x) => elu(x!, 1.5) },
  { name: 'silu', inputs: [['N', 6]], op: (x) => silu(x!) },
  { name: 'softplus', inputs: [['N', 6]], op: (x) => softplus(x!) },
  { name: 'gelu', inputs: [['N', 6]], op: (x) => gelu(x!), float: 'float32' },
  { name: 'gelu, approximate', inputs: [['N', 6]], op: (x) => geluApproximate(x!) },
  { name: 'scale', inputs: [['N', 4]], op: (x) => scale(x!, 0.25, -1) },
  { name: 'reshape', inputs: [image(2, 3, 2)], op: (x) => reshape(x!, ['N', 12]) },
  {
    name: 'crossEntropyFromLogits',
    inputs: [['N', 3]],
    op: (x) => crossEntropyFromLogits(x!, labels(x!)),
  },
  {
    name: 'crossEntropyFromProbabilities',
    inputs: [['N', 3]],
    op: (x) => crossEntropyFromProbabilities(x!, labels(x!)),
    range: [0.1, 0.9],
  },
  { name: 'meanSquaredError', inputs: [['N', 3]], op: (x) => loss.meanSquaredError(x!, targets(x!)) },
  { name: 'meanAbsoluteError', inputs: [['N', 3]], op: (x) => loss.meanAbsoluteError(x!, targets(x!)) },
  { name: 'huber', inputs: [['N', 3]], op: (x) => loss.huber(x!, targets(x!), 0.7) },
  {
    name: 'binaryCrossEntropyFromLogits',
    inputs: [['N', 3]],
    op: (x) => loss.binaryCrossEntropyFromLogits(x!, targets(x!)),
  },
  {
    name: 'binaryCrossEntropyFromProbabilities',
    inputs: [['N', 3]],
    op: (x) => loss.binaryCrossEntropyFromProbabilities(x!, targets(x!)),
    range: [0.1, 0.9],
  },
  {
    name: 'categoricalCrossEntropyFromLogits',
    inputs: [['N', 3]],
    op: (x) => categoricalCrossEntropyFromLogits(x!, targets(x!)),
  },
  {
    name: 'categoricalCrossEntropyFromProbabilities',
    inputs: [['N', 3]],
    op: (x) => categoricalCrossEntropyFromProbabilities(x!, targets(x!)),
    range: [0.1, 0.9],
  },
];

for (const {
  name,
  inputs,
  op,
  wanted = inputs.map((_, index) => index),
  range = [-1, 1] as const,
  float = 'float64',
} of cases) {
  const [low, high] = range;
  test(`the gradient of ${name} agrees with finite differences`, async () => {
    const seed = 7;
    const random = randomGenerator(seed);
    const graph = new Graph({ float });
    const values = inputs.map((shape, index) => graph.input(`x${index}`, float, shape));
    const output = op(...values);
    const scalar = weightedSum(output, graph.input('weights', float, output.shape));
    graph.output('scalar', scalar);
    const variables = wanted.map((index) => values[index]!);
    gradients(scalar, variables).forEach((gradient, position) => {
      graph.output(`gradient${wanted[position]}`, gradient);
    });
    const session = await ort.InferenceSession.create(graph.toModel());
    const points = inputs.map((shape) => randomTensor(float, shape, () => low + (high - low) * random()));
    const feeds: Record<string, ort.Tensor> = { weights: randomTensor(float, output.shape, random) };
    points.forEach((point, index) => {
      feeds[`x${index}`] = point;
    });
    if (session.inputNames.includes('labels')) {
      feeds.labels = new ort.Tensor('int64', BigInt64Array.of(2n, 0n), [batch]);
    }
    if (session.inputNames.includes('targets')) {
      feeds.targets = randomTensor(float, values[0]!.shape, random);
    }
    const analytic = await session.run(feeds);
    const { step, tolerance } = precision[float];
    for (const index of wanted) {
      const data = points[index]!.data as Float64Array | Float32Array;
      const gradient = analytic[`gradient${index}`]!.data as Float64Array | Float32Array;
      assert.equal(gradient.length, data.length);
      for (let at = 0; at < data.length; at += 1) {
        const centre = data[at]!;
        const ends: number[] = [];
        for (const moved of [centre + step, centre - step]) {
          data[at] = moved;
          ends.push((await session.run(feeds)).scalar!.data[0] as number);
        }
        data[at] = centre;
        const numeric = (ends[0]! - ends[1]!) / (2 * step);
        const difference = Math.abs(numeric - gradient[at]!);
        assert.ok(
          difference < tolerance * Math.max(1, Math.abs(numeric)),
          `input ${index}, element ${at}: ${gradient[at]} against ${numeric} (seed ${seed})`,
        );
      }
    }
    await session.release();
  });
}

/** The sum of x times weights of its own for each element, so that no two gradients are alike. */
function weightedSum(x: Value, weights: Value): Value {
  let total = onnx.mul(x, weights);
  while (total.shape.length > 0) total = onnx.reduceSum(total, 0);
  return differentiable([x], total, (dy) => [onnx.mul(weights, dy)]);
}

const randomTensor = (float: 'float32' | 'float64', shape: Shape, draw: () => number): ort.Tensor => {
  const dims = shape.map((dim) => {
    if (typeof dim === 'number') return dim;
    return dim === 'N' ? batch : Number.parseInt(dim, 10) * batch;
  });
  const size = dims.reduce((product, dim) => product * dim, 1);
  const data = Float64Array.from({ length: size }, draw);
  return new ort.Tensor(float, float === 'float64' ? data : Float32Array.from(data), dims);
};
