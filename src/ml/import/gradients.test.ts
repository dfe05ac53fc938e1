import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { differentiable, gradients } from '../autodiff.ts';
import { Graph, type Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { randomGenerator } from '../random.ts';
import type { Shape } from '../shape.ts';
import { Call, type Datum, integers, isConstant } from './datum.ts';
import { operators } from './operators.ts';
import type { Attribute } from './read-graph.ts';

interface Case {
  type: string;
  inputs: Shape[];
  /** Constants after the inputs; undefined where one is left out. */
  constants?: (number[] | undefined)[];
  attributes?: Record<string, Attribute>;
  /** Where one that is left out stands among the inputs. */
  leavesOut?: number;
  /** How many outputs the node has, one by default. */
  outputs?: number;
  range?: readonly [number, number];
  /** onnxruntime has some operators for float32 only; the test is coarser then. */
  float?: 'float32';
}

const batch = 2;
const image: Shape = ['N', 2, 5, 6];
const row: Shape = ['N', 4];

const cases: Case[] = [
  { type: 'Abs', inputs: [row] },
  {
    type: 'Add',
    inputs: [
      ['N', 2, 3, 3],
      [2, 1, 1],
    ],
  },
  {
    type: 'AveragePool',
    inputs: [image],
    attributes: { kernel_shape: [3, 2], pads: [1, 1, 1, 0], strides: [2, 1] },
  },
  {
    type: 'AveragePool',
    inputs: [image],
    attributes: {
      kernel_shape: [2, 2],
      strides: [2, 2],
      ceil_mode: 1,
      count_include_pad: 1,
      pads: [1, 1, 1, 1],
    },
  },
  { type: 'BatchNormalization', inputs: [['N', 2, 3], [2], [2], [2], [2]], range: [0.5, 2] },
  { type: 'Clip', inputs: [row], constants: [[-0.4], [0.5]] },
  {
    type: 'Concat',
    inputs: [
      ['N', 2, 3],
      ['N', 1, 3],
    ],
    attributes: { axis: 1 },
  },
  { type: 'Conv', inputs: [image, [4, 2, 3, 3], [4]], attributes: { pads: [1, 1, 1, 1], strides: [2, 2] } },
  {
    type: 'Conv',
    inputs: [image, [4, 1, 3, 2]],
    attributes: { group: 2, dilations: [1, 2], pads: [0, 1, 1, 0] },
  },
  {
    type: 'Conv',
    inputs: [
      ['N', 2, 7],
      [3, 2, 3],
    ],
    attributes: { auto_pad: 'SAME_UPPER', strides: [2] },
  },
  { type: 'Div', inputs: [row, row], range: [0.5, 2] },
  { type: 'Elu', inputs: [row] },
  { type: 'Erf', inputs: [row], float: 'float32' },
  { type: 'Exp', inputs: [row] },
  { type: 'Flatten', inputs: [image] },
  { type: 'Gather', inputs: [['N', 5]], constants: [[3]], attributes: { axis: 1 } },
  { type: 'Gemm', inputs: [row, [3, 4], [3]], attributes: { transB: 1, alpha: 0.5, beta: 2 } },
  {
    type: 'GRU',
    inputs: [
      [3, 'N', 2],
      [2, 9, 2],
      [2, 9, 3],
      [2, 18],
    ],
    attributes: { hidden_size: 3, direction: 'bidirectional', linear_before_reset: 1 },
    outputs: 2,
  },
  {
    type: 'GRU',
    inputs: [
      [3, 'N', 2],
      [1, 9, 2],
      [1, 9, 3],
    ],
    attributes: { hidden_size: 3, direction: 'reverse' },
  },
  { type: 'GlobalAveragePool', inputs: [image] },
  { type: 'HardSigmoid', inputs: [row] },
  { type: 'HardSwish', inputs: [row] },
  {
    type: 'LSTM',
    inputs: [
      [3, 'N', 2],
      [2, 12, 2],
      [2, 12, 3],
      [2, 24],
    ],
    attributes: { hidden_size: 3, direction: 'bidirectional' },
    outputs: 3,
  },
  {
    type: 'LSTM',
    inputs: [
      [34, 'N', 1],
      [1, 8, 1],
      [1, 8, 2],
    ],
    attributes: { hidden_size: 2 },
    outputs: 3,
  },
  ...[3, 34].map((steps) => ({
    type: 'LSTM',
    inputs: [
      [steps, 'N', 1],
      [1, 8, 1],
      [1, 8, 2],
      [1, 16],
      [1, 'N', 2],
      [1, 1, 2],
    ] as Shape[],
    leavesOut: 4,
    attributes: { hidden_size: 2, direction: 'reverse' },
    outputs: steps === 3 ? 3 : 2,
  })),
  { type: 'LayerNormalization', inputs: [['N', 3, 4], [4], [4]] },
  { type: 'LeakyRelu', inputs: [row], attributes: { alpha: 0.3 } },
  { type: 'Log', inputs: [row], range: [0.5, 2] },
  {
    type: 'MatMul',
    inputs: [
      ['N', 3, 4],
      [4, 2],
    ],
  },
  {
    type: 'MatMul',
    inputs: [
      ['N', 2, 3, 4],
      ['N', 2, 4, 2],
    ],
  },
  { type: 'Max', inputs: [row, row] },
  {
    type: 'MaxPool',
    inputs: [image],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { type: 'MaxPool', inputs: [image], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  { type: 'Min', inputs: [row, row] },
  { type: 'Mul', inputs: [row, [4]] },
  { type: 'Neg', inputs: [row] },
  { type: 'PRelu', inputs: [image, [2, 1, 1]] },
  { type: 'Pad', inputs: [['N', 3]], constants: [[0, 1, 0, 2]] },
  { type: 'Pow', inputs: [row], constants: [[1.5]], range: [0.5, 2] },
  { type: 'Pow', inputs: [row], constants: [[2]] },
  {
    type: 'RNN',
    inputs: [
      [3, 'N', 2],
      [1, 3, 2],
      [1, 3, 3],
      [1, 6],
    ],
    attributes: { hidden_size: 3, activations: ['Elu'], activation_alpha: [0.5] },
    outputs: 2,
  },
  { type: 'ReduceMean', inputs: [image], attributes: { axes: [1, 3], keepdims: 0 } },
  { type: 'ReduceSum', inputs: [image], constants: [[-1]] },
  { type: 'Relu', inputs: [row] },
  { type: 'Reshape', inputs: [image], constants: [[0, -1, 3]] },
  { type: 'Sigmoid', inputs: [row] },
  { type: 'Slice', inputs: [image], constants: [[1], [-1], [3]] },
  { type: 'Softmax', inputs: [image], attributes: { axis: 1 } },
  { type: 'Softplus', inputs: [row] },
  { type: 'Split', inputs: [['N', 5]], constants: [[2, 3]], attributes: { axis: 1 }, outputs: 2 },
  { type: 'Sqrt', inputs: [row], range: [0.5, 2] },
  { type: 'Squeeze', inputs: [['N', 1, 3]], constants: [[1]] },
  { type: 'Sub', inputs: [row, row] },
  { type: 'Sum', inputs: [row, row, [4]] },
  { type: 'Tanh', inputs: [row] },
  { type: 'Transpose', inputs: [image], attributes: { perm: [0, 3, 1, 2] } },
  { type: 'Unsqueeze', inputs: [row], constants: [[1]] },
];

/** The step of the finite difference, and by how much it may be off. */
const precision = { float64: { step: 1e-6, tolerance: 1e-7 }, float32: { step: 1e-2, tolerance: 5e-4 } };

for (const [index, each] of cases.entries()) {
  test(`${each.type} (${index}) has the gradient of its own numbers`, async () => {
    const { float = 'float64', range: [low, high] = [-1, 1] } = each;
    const seed = 100 + index;
    const random = randomGenerator(seed);
    const { bytes, names, shapes } = program(each, float);
    const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'disabled' });
    const draw = () => low + (high - low) * random();
    const feeds = Object.fromEntries(names.map((name, at) => [name, randomTensor(float, shapes[at]!, draw)]));
    const result = await session.run(feeds);
    const { step, tolerance } = precision[float];
    for (const name of names.filter((name) => name.startsWith('x'))) {
      const data = feeds[name]!.data as Float64Array;
      const gradient = result[`d${name}`]!.data as Float64Array;
      for (let element = 0; element < data.length; element += Math.ceil(data.length / 12)) {
        const at = async (change: number) => {
          const before = data[element]!;
          data[element] = before + change;
          const { total } = await session.run(feeds, ['total']);
          data[element] = before;
          return Number(total!.data[0]);
        };
        const expected = ((await at(step)) - (await at(-step))) / (2 * step);
        const off = Math.abs(Number(gradient[element]) - expected);
        assert.ok(
          off <= tolerance * Math.max(1, Math.abs(expected)),
          `seed ${seed}, ${name}[${element}]: ${gradient[element]} against ${expected}`,
        );
      }
    }
  });
}

/** The sum of the outputs, weighed so that no two numbers count alike, and the gradients of the inputs. */
function program(
  { type, inputs, constants = [], attributes = {}, outputs: count = 1, leavesOut }: Case,
  float: 'float32' | 'float64',
) {
  const graph = new Graph({ float });
  const values = inputs.map((shape, index) => graph.input(`x${index}`, float, shape));
  const known = constants.map((numbers) => numbers && { ...integers(numbers), isFloat: false });
  const given: (Datum | undefined)[] = [...values, ...known];
  const operands = leavesOut === undefined ? given : given.toSpliced(leavesOut, 0, undefined);
  const node = {
    name: 'it',
    type,
    inputs: operands.map((_, index) => `${index}`),
    outputs: Array.from({ length: count }, (_, index) => `y${index}`),
    attributes: new Map(Object.entries(attributes)),
  };
  const context = { graph, opset: 13, isInference: false, fixedBatch: undefined };
  const outputs = [operators[type]!(new Call(node, operands, context))].flat().slice(0, count);
  const parts = outputs.map((output, index) => {
    assert.ok(output && !isConstant(output));
    return weightedSum(output, graph.input(`weights${index}`, float, output.shape));
  });
  const total = parts.length === 1 ? parts[0]! : addAll(parts);
  graph.output('total', total);
  gradients(total, values).forEach((gradient, index) => {
    assert.deepEqual(gradient.shape, inputs[index]);
    graph.output(`dx${index}`, gradient);
  });
  const weights = outputs.map((output, index) => [`weights${index}`, (output as Value).shape] as const);
  const names = [...values.map(({ name }) => name), ...weights.map(([name]) => name)];
  return { bytes: graph.toModel(), names, shapes: [...inputs, ...weights.map(([, shape]) => shape)] };
}

const addAll = (parts: Value[]): Value => differentiable(parts, onnx.sum(parts), (dy) => parts.map(() => dy));

function weightedSum(x: Value, weights: Value): Value {
  let total = onnx.mul(x, weights);
  while (total.shape.length > 0) total = onnx.reduceSum(total, 0);
  return differentiable([x], total, (dy) => [onnx.mul(weights, dy)]);
}

function randomTensor(float: 'float32' | 'float64', shape: Shape, draw: () => number): ort.Tensor {
  const dims = shape.map((dim) => {
    if (typeof dim === 'number') return dim;
    return dim === 'N' ? batch : Number.parseInt(dim, 10) * batch;
  });
  const size = dims.reduce((product, dim) => product * dim, 1);
  const data = Float64Array.from({ length: size }, draw);
  return new ort.Tensor(float, float === 'float64' ? data : Float32Array.from(data), dims);
}
