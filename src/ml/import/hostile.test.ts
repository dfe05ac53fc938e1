import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { encodeModel, importOnnx } from '../index.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/schema.ts';
import { randomGenerator } from '../random.ts';

const info = (name: string, dims: number[]) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});

const floats = (name: string, dims: number[], numbers: number[]): TensorProto => ({
  name,
  dims,
  dataType: 1,
  rawData: new Uint8Array(Float32Array.from(numbers).buffer),
});

const node = (
  opType: string,
  input: string[],
  output: string[],
  rest: Partial<NodeProto> = {},
): NodeProto => ({
  opType,
  input,
  output,
  ...rest,
});

const pair = floats('w', [2], [1, 2]);

/** A model of one input x [1, 2] and one output y. */
const encode = (graph: GraphProto, version = 13) =>
  encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version }],
    graph: { input: [info('x', [1, 2])], output: [info('y', [1, 2])], ...graph },
  });

const refused: [string, GraphProto, RegExp][] = [
  [
    'a cycle',
    {
      node: [
        node('Add', ['x', 'b'], ['a']),
        node('Relu', ['a'], ['b'], { name: 'loop' }),
        node('Relu', ['b'], ['y']),
      ],
    },
    /The graph is cyclic: node ".*" \(\w+\) needs its own output/,
  ],
  [
    'a value from nowhere',
    { node: [node('Relu', ['z'], ['y'])] },
    /Node "y" \(Relu\) needs "z", which nothing gives/,
  ],
  ['an output from nowhere', { node: [node('Relu', ['x'], ['z'])] }, /Nothing gives the output "y"/],
  [
    'a value given twice',
    { node: [node('Relu', ['x'], ['y']), node('Tanh', ['x'], ['y'])] },
    /Two nodes give "y"/,
  ],
  [
    "another file's numbers",
    {
      node: [node('Add', ['x', 'w'], ['y'])],
      initializer: [
        {
          name: 'w',
          dims: [2],
          dataType: 1,
          dataLocation: 1,
          externalData: [{ key: 'location', value: '../../etc/passwd' }],
        },
      ],
    },
    /The initializer "w" lies in another file \("\.\.\/\.\.\/etc\/passwd"\), which is not read/,
  ],
  [
    'NaN',
    { node: [node('Add', ['x', 'w'], ['y'])], initializer: [floats('w', [2], [1, Number.NaN])] },
    /"w" holds NaN at index 1/,
  ],
  [
    'a shape larger than its numbers',
    { node: [node('Add', ['x', 'w'], ['y'])], initializer: [{ ...pair, dims: [1e9, 1e6] }] },
    /"w" has 2 numbers, its shape \[1000000000, 1000000\] needs 1000000000000000/,
  ],
  [
    'a negative dimension',
    { node: [node('Add', ['x', 'w'], ['y'])], initializer: [{ ...pair, dims: [-2] }] },
    /impossible shape \[-2\]/,
  ],
  [
    'an unknown element type',
    { node: [node('Add', ['x', 'w'], ['y'])], initializer: [{ ...pair, dataType: 16 }] },
    /element type 16, which is not supported/,
  ],
  [
    'an operator without a gradient',
    { node: [node('NonMaxSuppression', ['x'], ['y'], { name: 'nms' })] },
    /node "nms" \(NonMaxSuppression\): NonMaxSuppression has no gradient here; supported are Abs, Add/,
  ],
  [
    'a constant of a huge shape',
    {
      node: [node('ConstantOfShape', ['w'], ['c'], { name: 'fill' }), node('Add', ['x', 'c'], ['y'])],
      initializer: [
        {
          name: 'w',
          dims: [2],
          dataType: 7,
          rawData: new Uint8Array(BigInt64Array.of(10n ** 9n, 10n ** 9n).buffer),
        },
      ],
    },
    /node "fill" \(ConstantOfShape\): a constant of 1000000000000000000 numbers is too large/,
  ],
  [
    'a huge padding',
    {
      node: [node('Pad', ['x', 'w'], ['y'], { name: 'grow' })],
      initializer: [
        {
          name: 'w',
          dims: [4],
          dataType: 7,
          rawData: new Uint8Array(BigInt64Array.of(0n, 10n ** 12n, 0n, 0n).buffer),
        },
      ],
    },
    /node "grow" \(Pad\): its output \[N, 1000000000002\] is larger than/,
  ],
  [
    'operands that do not fit',
    {
      node: [node('MatMul', ['x', 'w'], ['y'], { name: 'product' })],
      initializer: [floats('w', [3, 1], [1, 2, 3])],
    },
    /node "product" \(MatMul\): Gemm needs \[M, K\] and \[K, O\], got \[N, 2\] and \[3, 1\]/,
  ],
  [
    'parts that do not fit',
    {
      node: [
        node('Concat', ['x', 'w'], ['y'], {
          name: 'join',
          attribute: [{ name: 'axis', type: 2, i: 1 }],
        }),
      ],
      initializer: [floats('w', [3, 1], [1, 2, 3])],
    },
    /node "join" \(Concat\): its inputs \[N, 2\], \[3, 1\] do not fit along axis 1/,
  ],
  ['a missing operand', { node: [node('Add', ['x'], ['y'])] }, /node "y" \(Add\): input 1 is missing/],
  [
    'an output that is constant',
    { node: [node('Identity', ['w'], ['y'])], initializer: [pair] },
    /"y" does not depend on the model's input/,
  ],
  [
    'an image too large for its windows',
    {
      input: [info('x', [1, 1, 60_000, 60_000])],
      node: [node('Conv', ['x', 'w'], ['y'])],
      initializer: [floats('w', [1, 1, 1, 1], [1])],
    },
    /is larger than|too large to train on/,
  ],
];

for (const [what, graph, message] of refused) {
  test(`a model with ${what} is refused in words`, () => {
    assert.throws(() => importOnnx(encode(graph)).model(), message);
  });
}

test('a model of an unknown opset, or with an open shape, is refused in words', () => {
  const graph = { node: [node('Relu', ['x'], ['y'])] };
  assert.throws(() => importOnnx(encode(graph, 99)), /of ONNX opset 99; supported are 7 to 22/);
  const open = {
    ...graph,
    input: [
      {
        ...info('x', [1, 2]),
        type: { tensorType: { elemType: 1, shape: { dim: [{}, { dimParam: 'width' }] } } },
      },
    ],
  };
  assert.throws(() => importOnnx(encode(open)).inputs(), /"x" is \[\?, \?\]: give importOnnx the inputShape/);
  assert.deepEqual(importOnnx(encode(open), { inputShape: [7] }).inputs()[0]!.shape, [7]);
});

test('files with random bytes changed are imported or refused, in bounded time and memory', {
  timeout: 120_000,
}, async () => {
  const seed = 20261123;
  const random = randomGenerator(seed);
  const before = process.memoryUsage().rss;
  for (const name of ['torch', 'tf2onnx']) {
    const bytes = await readFile(new URL(`../fixtures/onnx-files/${name}.onnx`, import.meta.url));
    for (let round = 0; round < 300; round += 1) {
      const damaged = Uint8Array.from(bytes);
      const count = 1 + Math.floor(random() * 8);
      for (let change = 0; change < count; change += 1) {
        damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      }
      const cut = random() < 0.3 ? damaged.subarray(0, Math.floor(random() * damaged.length)) : damaged;
      try {
        importOnnx(cut).layer();
        const base = importOnnx(cut);
        base.layer().apply(...base.inputs());
      } catch (error) {
        assert.ok(
          error instanceof Error && error.message.length > 0,
          `seed ${seed}, ${name}, round ${round}`,
        );
        assert.ok(!(error instanceof TypeError), `seed ${seed}, ${name}, round ${round}: ${error.stack}`);
      }
    }
  }
  const grownMb = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grownMb < 1024, `memory grew by ${grownMb.toFixed(0)} MB`);
});
