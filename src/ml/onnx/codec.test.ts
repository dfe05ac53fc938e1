import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeModel, encodeModel } from './codec.ts';
import { ProtobufReader, ProtobufWriter, wire } from './protobuf.ts';
import type { ModelProto } from './schema.ts';

const model: ModelProto = {
  irVersion: 8,
  producerName: 'test',
  graph: {
    node: [
      {
        input: ['x', 'w'],
        output: ['y'],
        opType: 'Gemm',
        attribute: [
          { name: 'alpha', type: 1, f: 0.5 },
          { name: 'axis', type: 2, i: -1 },
          { name: 'pads', type: 7, ints: [0, -2, 300, 2 ** 40] },
        ],
      },
    ],
    name: 'g',
    initializer: [{ dims: [2], dataType: 1, name: 'w', rawData: Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64) }],
    input: [
      {
        name: 'x',
        type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }, { dimValue: 3 }] } } },
      },
    ],
    output: [{ name: 'y' }],
  },
  opsetImport: [{ domain: '', version: 17 }],
  metadataProps: [{ key: 'labels', value: '["ä"]' }],
};

test('a model survives encoding and decoding', () => {
  assert.deepEqual(decodeModel(encodeModel(model)), model);
});

test('fields outside the schema are written back as they came', () => {
  const writer = new ProtobufWriter();
  writer.raw(encodeModel(model));
  const start = writer.finish().length;
  writer.tag(6, wire.bytes);
  writer.bytes(new TextEncoder().encode('a doc string'));
  writer.tag(99, wire.fixed64);
  writer.raw(new Uint8Array(8).fill(7));
  const extended = writer.finish();
  const again = encodeModel(decodeModel(extended));
  assert.deepEqual(again.slice(-(extended.length - start)), extended.slice(start));
});

test('packed and unpacked numbers are both read', () => {
  const packed = new ProtobufWriter();
  packed.varint(5);
  packed.varint(-7);
  const tensor = new ProtobufWriter();
  tensor.tag(1, wire.bytes);
  tensor.bytes(packed.finish());
  tensor.tag(1, wire.varint);
  tensor.varint(9);
  const graph = new ProtobufWriter();
  graph.tag(5, wire.bytes);
  graph.bytes(tensor.finish());
  const bytes = new ProtobufWriter();
  bytes.tag(7, wire.bytes);
  bytes.bytes(graph.finish());
  assert.deepEqual(decodeModel(bytes.finish()).graph?.initializer?.[0]?.dims, [5, -7, 9]);
});

test('a model that is cut short is refused, at any length', () => {
  const bytes = encodeModel({ graph: model.graph! });
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => decodeModel(bytes.subarray(0, length)), /not an ONNX model/, `${length} bytes`);
  }
});

test('an endless integer is refused', () => {
  assert.throws(() => new ProtobufReader(new Uint8Array(20).fill(0xff)).varint(), /longer than ten bytes/);
});
