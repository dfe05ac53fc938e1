import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { Graph } from '../graph.ts';
import * as ml from '../index.ts';
import { type AttributeProto, attributeType, type NodeProto, type TensorProto } from '../onnx/schema.ts';
import { randomGenerator } from '../random.ts';

const [batch, channels, units] = [3, 2, 4];
const random = randomGenerator(20261124);
const numbers = (shape: number[]) =>
  Float32Array.from({ length: shape.reduce((size, dim) => size * dim, 1) }, () => random() * 2 - 1);

const weights = (name: string, dims: number[], data = numbers(dims)): TensorProto => ({
  name,
  dims,
  dataType: 1,
  rawData: new Uint8Array(data.buffer),
});

function attribute(name: string, value: string | number | string[] | number[]): AttributeProto {
  const bytes = (text: string) => new TextEncoder().encode(text);
  if (typeof value === 'string') return { name, type: attributeType.string, s: bytes(value) };
  if (typeof value === 'number')
    return name === 'clip'
      ? { name, type: attributeType.float, f: value }
      : { name, type: attributeType.int, i: value };
  const texts = value.filter((each) => typeof each === 'string');
  if (texts.length) return { name, type: attributeType.strings, strings: texts.map(bytes) };
  return { name, type: attributeType.floats, floats: value as number[] };
}

interface Node {
  type: 'LSTM' | 'GRU' | 'RNN';
  attributes?: Record<string, string | number | string[] | number[]>;
  steps?: number;
  hasBias?: boolean;
  /** Names of further inputs, after the biases. */
  more?: string[];
  tensors?: TensorProto[];
  /** What computes further inputs of x, or of the weights. */
  before?: NodeProto[];
}

const gates = { LSTM: 4, GRU: 3, RNN: 1 };

/** x [N, T, C] turned round and through the node, whose outputs are the model's. */
function encode({
  type,
  attributes = {},
  steps = 5,
  hasBias = true,
  more = [],
  tensors = [],
  before = [],
}: Node): Uint8Array {
  const sides = attributes.direction === 'bidirectional' ? 2 : 1;
  const width = gates[type] * units;
  const initializer = [
    weights('W', [sides, width, channels]),
    weights('R', [sides, width, units]),
    ...(hasBias ? [weights('B', [sides, 2 * width])] : []),
    ...tensors,
  ];
  const outputs = ['Y', 'Y_h', ...(type === 'LSTM' ? ['Y_c'] : [])];
  const node: NodeProto[] = [
    ...before,
    {
      opType: 'Transpose',
      input: ['x'],
      output: ['turned'],
      attribute: [{ name: 'perm', type: attributeType.ints, ints: [1, 0, 2] }],
    },
    {
      opType: type,
      name: 'memory',
      input: ['turned', 'W', 'R', hasBias ? 'B' : '', ...more],
      output: outputs,
      attribute: [
        attribute('hidden_size', units),
        ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      ],
    },
  ];
  const info = (name: string, dim?: object[]) => ({
    name,
    type: { tensorType: { elemType: 1, ...(dim && { shape: { dim } }) } },
  });
  return ml.encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 14 }],
    graph: {
      name: 'recurrent',
      node,
      initializer,
      input: [info('x', [{ dimParam: 'N' }, { dimValue: steps }, { dimValue: channels }])],
      output: outputs.map((name) => info(name)),
    },
  });
}

type How = 'forward' | 'infer';

/** One of a file's values as the imported layer computes it, for training or not. */
async function computed(bytes: Uint8Array, until: string, x: ort.Tensor, how: How): Promise<Float32Array> {
  const layer = ml.importOnnx(bytes).layer({ until });
  const graph = new Graph();
  const input = graph.input('x', 'float32', ['N', ...x.dims.slice(1)]);
  const parameters = layer
    .parameters(input.shape)
    .map(({ shape, initializer }) =>
      graph.initializer(ml.tensor(initializer(shape as number[], random) as Float32Array, shape as number[])),
    );
  const context = { inputs: [input], masks: [], isTraining: how === 'forward' };
  // Other parts of the context are for layers that draw numbers or keep statistics.
  graph.output('y', layer[how](input, parameters, context as never));
  const session = await ort.InferenceSession.create(graph.toModel());
  const { y } = await session.run({ x });
  await session.release();
  return y!.data as Float32Array;
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (let index = 0; index < actual.length; index += 1) {
    const [ours, theirs] = [actual[index]!, expected[index]!];
    assert.ok(Math.abs(ours - theirs) <= 1e-5, `${what}[${index}]: ${ours} against ${theirs}`);
  }
}

const indices = (name: string, of: number[], dims = [of.length]): TensorProto => ({
  name,
  dims,
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.from(of, BigInt).buffer),
});

/** An LSTM of the same weights before the other. */
const turnedFirst: NodeProto = {
  opType: 'Transpose',
  input: ['x'],
  output: ['turned0'],
  attribute: [{ name: 'perm', type: attributeType.ints, ints: [1, 0, 2] }],
};
const first: NodeProto = {
  opType: 'LSTM',
  input: ['turned0', 'W', 'R', 'B'],
  attribute: [attribute('hidden_size', units)],
};

const read: Record<string, Node> = {
  LSTM: { type: 'LSTM' },
  'LSTM in reverse, without biases': {
    type: 'LSTM',
    attributes: { direction: 'reverse' },
    hasBias: false,
  },
  'LSTM both ways': { type: 'LSTM', attributes: { direction: 'bidirectional' } },
  'LSTM both ways of a long sequence': {
    type: 'LSTM',
    attributes: { direction: 'bidirectional' },
    steps: 40,
  },
  'LSTM of other activations': {
    type: 'LSTM',
    attributes: { activations: ['HardSigmoid', 'Tanh', 'Softplus'] },
  },
  'LSTM whose sequences are as long as the input': {
    type: 'LSTM',
    more: ['lens'],
    tensors: [
      { name: 'lens', dims: [batch], dataType: 6, rawData: new Uint8Array(Int32Array.of(5, 5, 5).buffer) },
    ],
  },
  'LSTM that goes on from the last state of another': {
    type: 'LSTM',
    more: ['', 'Y0_h', 'Y0_c'],
    before: [turnedFirst, { ...first, output: ['', 'Y0_h', 'Y0_c'] }],
  },
  'LSTM that takes over a cell state alone': {
    type: 'LSTM',
    more: ['', '', 'Y0_c'],
    before: [turnedFirst, { ...first, output: ['', '', 'Y0_c'] }],
  },
  "LSTM from PyTorch's zeros of the batch's size": {
    type: 'LSTM',
    more: ['', 'zeros', 'zeros'],
    tensors: [
      indices('zero', [0], []),
      indices('one', [1]),
      indices('two', [2]),
      indices('units', [units]),
      indices('axis', [0]),
    ],
    before: [
      { opType: 'Shape', input: ['x'], output: ['shape'] },
      { opType: 'Gather', input: ['shape', 'zero'], output: ['batch'] },
      { opType: 'Unsqueeze', input: ['batch', 'axis'], output: ['batches'] },
      {
        opType: 'Concat',
        input: ['two', 'batches', 'units'],
        output: ['size'],
        attribute: [attribute('axis', 0)],
      },
      { opType: 'ConstantOfShape', input: ['size'], output: ['layers'] },
      { opType: 'Slice', input: ['layers', 'one', 'two', 'axis'], output: ['zeros'] },
    ],
  },
  GRU: { type: 'GRU' },
  'GRU with the reset gate after the product': { type: 'GRU', attributes: { linear_before_reset: 1 } },
  'GRU both ways with the reset gate after the product': {
    type: 'GRU',
    attributes: { linear_before_reset: 1, direction: 'bidirectional' },
  },
  'GRU in reverse of a long sequence, without biases': {
    type: 'GRU',
    attributes: { direction: 'reverse' },
    steps: 40,
    hasBias: false,
  },
  RNN: { type: 'RNN' },
  'RNN of Relu both ways': {
    type: 'RNN',
    attributes: { activations: ['Relu', 'Relu'], direction: 'bidirectional' },
  },
  'RNN of LeakyRelu': { type: 'RNN', attributes: { activations: ['LeakyRelu'], activation_alpha: [0.3] } },
};

for (const [name, node] of Object.entries(read)) {
  test(`${name}: every output is onnxruntime's, trained through and not`, async () => {
    const bytes = encode(node);
    const shape = [batch, node.steps ?? 5, channels];
    const x = new ort.Tensor('float32', numbers(shape), shape);
    const session = await ort.InferenceSession.create(bytes);
    const expected = await session.run({ x });
    await session.release();
    for (const output of session.outputNames) {
      for (const how of ['forward', 'infer'] as const) {
        const actual = await computed(bytes, output, x, how);
        assertClose(actual, expected[output]!.data as Float32Array, `${output} by ${how}`);
      }
    }
  });
}

const refused: [string, Node, RegExp][] = [
  ['clips', { type: 'LSTM', attributes: { clip: 1 } }, /node "memory" \(LSTM\): clip is not supported/],
  ['has the batch first', { type: 'GRU', attributes: { layout: 1 } }, /node "memory" \(GRU\): layout 1/],
  [
    'has peepholes',
    { type: 'LSTM', more: ['', '', '', 'P'], tensors: [weights('P', [1, 3 * units])] },
    /node "memory" \(LSTM\): peepholes \(input P\) are not supported/,
  ],
  [
    'ends some sequences early',
    {
      type: 'RNN',
      more: ['lens'],
      tensors: [
        { name: 'lens', dims: [2], dataType: 6, rawData: new Uint8Array(Int32Array.of(5, 3).buffer) },
      ],
    },
    /node "memory" \(RNN\): its sequence_lens are not all 5/,
  ],
  [
    'has an unknown activation',
    { type: 'RNN', attributes: { activations: ['Softsign'] } },
    /node "memory" \(RNN\): its activation Softsign is not supported/,
  ],
  [
    'starts from a state for a batch of two',
    { type: 'RNN', more: ['', 'h'], tensors: [weights('h', [1, 2, units])] },
    /node "memory" \(RNN\): its initial state "h" is \[1, 2, 4\], but must be \[1, N, 4\]/,
  ],
  [
    'has weights of another size',
    { type: 'RNN', attributes: { hidden_size: 7 } },
    /node "memory" \(RNN\): W is \[1, 4, 2\], but must be \[1, 7, 2\]/,
  ],
];

for (const [what, node, message] of refused) {
  test(`a recurrent node that ${what} is refused in words`, () => {
    assert.throws(
      () => ml.importOnnx(encode(node)).layer({ until: 'Y' }).outputShape(['N', 5, channels]),
      message,
    );
  });
}
