import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { differentiable, gradients } from '../autodiff.ts';
import { Graph, type Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { randomGenerator } from '../random.ts';
import type { Shape } from '../shape.ts';
import { elu, leakyRelu, relu, sigmoid, silu, softmax, softplus, tanh } from './activations.ts';
import * as arithmetic from './arithmetic.ts';
import { averagePool2d } from './average-pool2d.ts';
import { batchMatMul } from './batch-mat-mul.ts';
import { addBias } from './bias.ts';
import {
  categoricalCrossEntropyFromLogits,
  categoricalCrossEntropyFromProbabilities,
} from './categorical-cross-entropy.ts';
import { concatenate, stack, unstack } from './concatenate.ts';
import { conv2d } from './conv2d.ts';
import { conv2dMaxPool } from './conv2d-max-pool.ts';
import { conv2dTranspose } from './conv2d-transpose.ts';
import { crossEntropyFromLogits, crossEntropyFromProbabilities } from './cross-entropy.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import * as loss from './elementwise-losses.ts';
import { embedding } from './embedding.ts';
import { multiplyGain } from './gain.ts';
import { gelu, geluApproximate } from './gelu.ts';
import { globalAveragePool2d, globalMaxPool2d } from './global-pool2d.ts';
import { linear } from './linear.ts';
import { maxPool2d } from './max-pool2d.ts';
import { patchConv2dMaxPool } from './patch-conv2d-max-pool.ts';
import { penalty } from './penalty.ts';
import { pick } from './pick.ts';
import { clippedRelu, negativePart } from './rectify.ts';
import { type Cell, type RecurrentOptions, recurrent } from './recurrent.ts';
import { reduceSum } from './reduce.ts';
import { relabel, reshape } from './reshape.ts';
import { scale } from './scale.ts';
import { slice, split } from './slice.ts';
import { standardize } from './standardize.ts';
import { transpose } from './transpose.ts';
import { slide, type Window } from './window.ts';
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

const transposed = (w: Window): Pick<Case, 'inputs' | 'op'> => {
  const { outHeight, outWidth } = slide(w);
  return {
    inputs: [image(outHeight, outWidth, 3), [...w.kernel, 2, 3]],
    op: (x, kernel) => conv2dTranspose(x!, kernel!, w),
  };
};

const rectifier = { maxValue: 1.2, negativeSlope: 0.3, threshold: 0.4 };
const loop = { units: 2, parts: 2, goBackwards: false, returnSequences: false, mask: undefined };

/** A cell with two parts of state, of which each depends on both. */
const cell =
  (kernel: Value): Cell =>
  (step, [h, c]) => {
    const [a, b] = split(arithmetic.add(step, linear(h!, kernel)), 2);
    const next = arithmetic.add(arithmetic.multiply(c!, sigmoid(a!)), tanh(b!));
    return [tanh(next), next];
  };

const recurrences = (how: string, options: Partial<RecurrentOptions>): Case[] =>
  [false, true].flatMap((returnSequences) =>
    [false, true].map((goBackwards): Case => {
      const isMasked = returnSequences !== goBackwards;
      const what = [returnSequences && 'all steps', goBackwards && 'backwards', isMasked && 'masked'];
      return {
        name: `recurrent ${how}, ${what.filter(Boolean).join(', ') || 'last step'}`,
        inputs: [
          ['N', 3, 4],
          [2, 4],
        ],
        op: (x, kernel) => {
          const mask = onnx.relabel(x!.graph.constant([1, 1, 0, 0, 1, 0], [2, 3]), ['N', 3]);
          const settings = { ...loop, ...options, returnSequences, goBackwards };
          return recurrent(x!, cell(kernel!), { ...settings, mask: isMasked ? mask : undefined });
        },
      };
    }),
  );

const broadcasting: [string, (a: Value, b: Value) => Value][] = [
  ['add', arithmetic.add],
  ['subtract', arithmetic.subtract],
  ['multiply', arithmetic.multiply],
  ['divide', arithmetic.divide],
  ['larger', arithmetic.larger],
  ['smaller', arithmetic.smaller],
];

const cases: Case[] = [
  ...broadcasting.flatMap(([name, op]): Case[] => [
    {
      name,
      inputs: [
        ['N', 3],
        ['N', 3],
      ],
      op: (a, b) => op(a!, b!),
      range: [0.5, 2],
    },
    {
      name: `${name}, broadcast both ways`,
      inputs: [
        ['N', 1, 3],
        [2, 1],
      ],
      op: (a, b) => op(a!, b!),
      range: [0.5, 2],
    },
  ]),
  { name: 'transpose', inputs: [['N', 2, 3]], op: (x) => transpose(x!, [2, 0, 1]) },
  { name: 'slice', inputs: [['N', 5]], op: (x) => slice(x!, 1, 1, 4) },
  {
    name: 'slices that are joined again',
    inputs: [['N', 6]],
    op: (x) => {
      const [a, b, c] = split(x!, 3);
      return arithmetic.multiply(arithmetic.multiply(c!, a!), b!);
    },
  },
  {
    name: 'slices that overlap',
    inputs: [['N', 4]],
    op: (x) => arithmetic.multiply(slice(x!, 1, 0, 3), slice(x!, 1, 1, 4)),
  },
  {
    name: 'concatenate',
    inputs: [
      ['N', 2, 3],
      ['N', 1, 3],
    ],
    op: (a, b) => concatenate([a!, b!], 1),
  },
  { name: 'unstack and stack', inputs: [['N', 3, 2]], op: (x) => stack(unstack(x!).toReversed()) },
  {
    name: 'batchMatMul',
    inputs: [
      ['N', 2, 3, 4],
      ['N', 2, 4, 2],
    ],
    op: (a, b) => batchMatMul(a!, b!),
  },
  { name: 'pick', inputs: [['N', 3, 2]], op: (x) => pick(x!, [2, 0, -1, 0, 0, 2], [3, 2]) },
  { name: 'reduceSum', inputs: [['N', 3, 2]], op: (x) => reduceSum(x!, 1) },
  {
    name: 'relabel',
    inputs: [['N', 3, 2]],
    op: (x) => relabel(softmax(relabel(x!, ['N', 2])), ['N', 3, 2]),
  },
  {
    name: 'embedding, of rows used twice and never',
    inputs: [[5, 3]],
    op: (table) => embedding(table!.graph.integers([1, 3, 1, 0], [2, 2]), table!),
  },
  { name: 'penalty', inputs: [[2, 3]], op: (x) => reshape(penalty(x!, { l1: 0.3, l2: 0.2 }), [1]) },
  { name: 'clippedRelu', inputs: [['N', 9]], op: (x) => clippedRelu(x!, rectifier), range: [-2, 2] },
  { name: 'negativePart', inputs: [['N', 6]], op: (x) => negativePart(x!) },
  { name: 'conv2dTranspose', ...transposed(window(6, 5)) },
  { name: 'conv2dTranspose, stride 2', ...transposed(window(7, 6, { strides: [2, 2] })) },
  {
    name: 'conv2dTranspose, stride 2, same padding',
    ...transposed(window(6, 8, { strides: [2, 2], padding: 'same' })),
  },
  {
    name: 'depthwiseConv2d',
    inputs: [image(5, 4, 3), [3, 3, 3, 1]],
    op: (x, kernel) => depthwiseConv2d(x!, kernel!, window(5, 4, { padding: 'same', strides: [2, 1] })),
  },
  {
    name: 'depthwiseConv2d, depth multiplier 2',
    inputs: [image(5, 4, 2), [3, 3, 2, 2]],
    op: (x, kernel) => depthwiseConv2d(x!, kernel!, window(5, 4)),
  },
  ...recurrences('unrolled', {}),
  ...recurrences('by a loop', { unrolledStepsMax: 0 }),
  {
    name: 'linear over the last of three axes',
    inputs: [
      ['N', 2, 4],
      [4, 3],
    ],
    op: (x, weights) => linear(x!, weights!),
  },
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
