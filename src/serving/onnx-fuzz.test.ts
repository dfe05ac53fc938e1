import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { dense, encodeModel, exportModel, input, sequential } from '../ml/index.ts';
import { bake } from '../ml/portable.ts';
import { startSession } from './session.ts';

const { graph, weights } = exportModel(sequential([input([4]), dense(3)], { seed: 1 }));
const onnx = bake(graph, weights);
const value = (name: string, dims: number[]) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});
const modelOf = (parts: Parameters<typeof encodeModel>[0]['graph']) =>
  encodeModel({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph: { name: 'g', ...parts } });
const relu = (from: string, to: string) => ({ opType: 'Relu', input: [from], output: [to] });

/** A length-delimited field of Protocol Buffers, of up to 127 bytes. */
const field = (number: number, of: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(of);
  const tag = number * 8 + 2;
  const head = tag < 128 ? [tag] : [(tag & 127) | 128, tag >> 7];
  return Buffer.concat([Buffer.of(...head, bytes.length), bytes]);
};

/** A choice whose branches are choices, and so on. */
function nestedGraph(depth: number): NonNullable<Parameters<typeof encodeModel>[0]['graph']> {
  const output = [value(`y${depth}`, [1])];
  if (depth === 0) return { name: 'g', node: [relu('x', 'y0')], output };
  const attribute = [{ name: 'then_branch', g: nestedGraph(depth - 1), type: 5 }];
  return { name: 'g', node: [{ opType: 'If', input: ['c'], output: [`y${depth}`], attribute }], output };
}

/** A ValueInfoProto of one number. */
const floatNamed = (name: string): Buffer =>
  Buffer.concat([
    field(1, name),
    field(2, field(1, Buffer.concat([Buffer.of(8, 1), field(2, field(1, Buffer.of(8, 1)))]))),
  ]);

/** A model's own function `d.f` of one node, which is again `d.f`. FunctionProto of onnx.proto, ModelProto's field 25. */
const recursiveFunction = field(
  25,
  Buffer.concat([
    ...[field(1, 'f'), field(4, 'a'), field(5, 'b'), field(10, 'd')],
    field(7, Buffer.concat([field(1, 'a'), field(2, 'b'), field(4, 'f'), field(7, 'd')])),
    field(9, Buffer.concat([field(1, 'd'), Buffer.of(16, 1)])),
  ]),
);

const refused: [string, Uint8Array][] = [
  ['graphs within graphs without end', modelOf({ ...nestedGraph(60), input: [value('x', [1])] })],
  [
    'a function that calls itself',
    Buffer.concat([
      ...[Buffer.of(8, 8), field(8, Buffer.of(16, 17))],
      field(8, Buffer.concat([field(1, 'd'), Buffer.of(16, 1)])),
      field(
        7,
        Buffer.concat([
          field(1, Buffer.concat([field(1, 'x'), field(2, 'y'), field(4, 'f'), field(7, 'd')])),
          ...[field(2, 'g'), field(11, floatNamed('x')), field(12, floatNamed('y'))],
        ]),
      ),
      recursiveFunction,
    ]),
  ],
  ['nothing', new Uint8Array()],
  ['a file that is cut short', onnx.subarray(0, onnx.length - 7)],
  [
    'a graph whose nodes wait for each other',
    modelOf({
      node: [relu('b', 'a'), relu('a', 'b')],
      input: [value('x', [1])],
      output: [value('b', [1])],
    }),
  ],
  [
    'weights of more elements than there are bytes',
    modelOf({
      node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
      initializer: [{ name: 'w', dims: [2 ** 40, 2 ** 20], dataType: 1, rawData: new Uint8Array(4) }],
      input: [value('x', [1])],
      output: [value('y', [1])],
    }),
  ],
  [
    'weights in a file elsewhere',
    modelOf({
      node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
      initializer: [
        {
          name: 'w',
          dims: [1],
          dataType: 1,
          dataLocation: 1,
          externalData: [{ key: 'location', value: '../../../../etc/passwd' }],
        },
      ],
      input: [value('x', [1])],
      output: [value('y', [1])],
    }),
  ],
  [
    'an operator that there is not',
    modelOf({
      node: [{ opType: 'Nonsense', input: ['x'], output: ['y'] }],
      input: [value('x', [1])],
      output: [value('y', [1])],
    }),
  ],
];

for (const [what, bytes] of refused) {
  test(`${what} is refused as a model, in words`, async () => {
    await assert.rejects(startSession({ onnx: bytes, threads: 1 }), (error) => {
      assert.ok(isStatus(error, 'BadRequest'), String(error));
      assert.match(error.message, /ONNX Runtime can't load the model: .{10}/);
      return true;
    });
  });
}

test('a model with damaged bytes is refused, or runs', async () => {
  const seed = Date.now() % 2 ** 32;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 12; round++) {
    const bytes = Uint8Array.from(onnx);
    for (let i = random(4); i >= 0; i--) bytes[random(bytes.length)] = random(256);
    try {
      await (await startSession({ onnx: bytes, threads: 1 })).close();
    } catch (error) {
      assert.ok(isStatus(error, 'BadRequest'), `seed ${seed}, round ${round}: ${error}`);
    }
  }
});

test('a model that asks for more memory than there is fails its request alone', async () => {
  const shape = new Uint8Array(BigInt64Array.of(2n ** 31n, 2n ** 20n).buffer);
  const session = await startSession({
    onnx: modelOf({
      node: [{ opType: 'Expand', input: ['x', 'shape'], output: ['y'] }],
      initializer: [{ name: 'shape', dims: [2], dataType: 7, rawData: shape }],
      input: [value('x', [1])],
      output: [{ name: 'y', type: { tensorType: { elemType: 1 } } }],
    }),
    threads: 1,
  });
  const x = { datatype: 'FP32' as const, shape: [1], data: Float32Array.of(1) };
  for (let i = 0; i < 2; i++)
    await assert.rejects(session.run({ x }), (error) => isStatus(error, 'InternalError'));
  await session.close();
});

test('NaN and infinities go through a model, and back', async () => {
  const session = await startSession({ onnx, threads: 1 });
  const data = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 1, 2);
  const { output } = await session.run({ input: { datatype: 'FP32', shape: [1, 4], data } });
  assert.ok((output!.data as Float32Array).every(Number.isNaN));
  await session.close();
});
