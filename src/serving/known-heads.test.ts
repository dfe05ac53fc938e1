import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from './datatype.ts';
import { writeInferResponse } from './infer-answer.ts';
import { readInferHead, readInferRequest } from './inference-protocol.ts';
import { headsMax, knownHeadBytesMax, rememberHeads } from './known-heads.ts';

const headOf = (more: object = {}, input: object = {}) =>
  JSON.stringify({
    inputs: [{ name: 'x', shape: [2], datatype: 'FP32', parameters: { binary_data_size: 8 }, ...input }],
    parameters: { binary_data_output: true },
    ...more,
  });

/** A reader that counts how often it has to read the JSON. */
function counted() {
  let reads = 0;
  const readHead = rememberHeads((bytes) => {
    reads += 1;
    return readInferHead(bytes);
  });
  const read = (head: string, values = [1, 2]) => {
    const body = Buffer.concat([Buffer.from(head), new Uint8Array(Float32Array.from(values).buffer)]);
    return readInferRequest(body, Buffer.byteLength(head), false, readHead);
  };
  return { read, reads: () => reads };
}

test('a head that was read before is not read again, and the tensors are those of the request', () => {
  const { read, reads } = counted();
  for (const values of [
    [1, 2],
    [3, 4],
    [5, 6],
  ])
    assert.deepEqual(read(headOf(), values).inputs.x!.data, Float32Array.from(values));
  assert.equal(reads(), 1);
});

test('another head of the same length is another request', () => {
  const { read } = counted();
  assert.equal(read(headOf({ id: 'a' })).id, 'a');
  assert.equal(read(headOf({ id: 'b' })).id, 'b');
  assert.deepEqual(read(headOf({}, { shape: [1, 2] })).inputs.x!.shape, [1, 2]);
  assert.deepEqual(read(headOf({}, { shape: [2, 1] })).inputs.x!.shape, [2, 1]);
});

test('only so many heads are kept, and none that is long', () => {
  const { read, reads } = counted();
  for (let id = 0; id <= headsMax; id++) read(headOf({ id: String(id) }));
  assert.equal(reads(), headsMax + 1);
  read(headOf({ id: String(headsMax) }));
  assert.equal(reads(), headsMax + 1, 'the newest is known');
  read(headOf({ id: '0' }));
  assert.equal(reads(), headsMax + 2, 'the oldest was forgotten');
  const long = headOf({ id: 'i'.repeat(knownHeadBytesMax) });
  for (let i = 0; i < 2; i++) read(long);
  assert.equal(reads(), headsMax + 4);
});

test('a head that stays is refused every time for what its bytes are', () => {
  const { read } = counted();
  for (let i = 0; i < 2; i++) assert.throws(() => read(headOf(), [1]), /4 bytes are left in the body/);
  for (let i = 0; i < 2; i++) assert.throws(() => read(headOf(), [1, 2, 3]), /4 bytes are left after/);
  assert.deepEqual(read(headOf()).inputs.x!.data, Float32Array.of(1, 2));
});

test("the answer's head changes with what it tells", () => {
  const { read } = counted();
  const answer = (outputs: Record<string, Tensor>, version = '1', parameters?: Record<string, string>) => {
    const { body, headLength } = writeInferResponse(
      { name: 'm', version },
      read(headOf()),
      outputs,
      parameters,
    );
    const bytes = Buffer.from(body.subarray(headLength));
    return { head: JSON.parse(Buffer.from(body.subarray(0, headLength)).toString()), bytes };
  };
  const floats = (shape: number[], ...values: number[]): Tensor => ({
    datatype: 'FP32',
    shape,
    data: Float32Array.from(values),
  });
  const bytesOf = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
  const first = answer({ y: floats([2], 1, 2) });
  const second = answer({ y: floats([2], 3, 4) });
  assert.deepEqual(second.head, first.head);
  assert.deepEqual([first.bytes, second.bytes], [bytesOf(1, 2), bytesOf(3, 4)]);
  assert.deepEqual(answer({ y: floats([2, 1], 3, 4) }).head.outputs[0].shape, [2, 1]);
  assert.equal(answer({ y: floats([1], 5) }).head.outputs[0].parameters.binary_data_size, 4);
  assert.equal(answer({ y: floats([1], 5) }, '2').head.model_version, '2');
  assert.deepEqual(answer({ y: floats([1], 5) }, '2', { a: 'b' }).head.parameters, { a: 'b' });
  assert.equal(answer({ y: floats([1], 5) }, '2').head.parameters, undefined);
  const two = answer({ y: floats([1], 5), z: floats([1], 6) }, '2');
  assert.deepEqual(two.bytes, bytesOf(5, 6));
  assert.equal(two.head.outputs.length, 2);
  const integers: Tensor = { datatype: 'INT32', shape: [1], data: Int32Array.of(7) };
  assert.equal(answer({ y: integers, z: floats([1], 6) }, '2').head.outputs[0].datatype, 'INT32');
  for (const text of ['a', 'long'])
    assert.equal(
      answer({ y: { datatype: 'BYTES', shape: [1], data: [text] } }).head.outputs[0].parameters
        .binary_data_size,
      4 + text.length,
    );
});
