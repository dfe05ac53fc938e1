import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

function fileOf(header: unknown, dataBytes = 16, length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (from: number, to: number, more: object = {}) => ({
  dtype: 'F32',
  shape: [2],
  data_offsets: [from, to],
  ...more,
});

const refused: [string, Uint8Array, RegExp][] = [
  ['a header longer than all memory', fileOf({}, 16, 2n ** 64n - 1n), /a header of \d+ bytes, more than/],
  ['a header beyond the file', fileOf({}, 0, 1000n), /the header of 1000 bytes is cut short/],
  ['a header that is a list', fileOf([]), /"header" is not described/],
  ['a header of nothing', fileOf('null'), /"header" is not described/],
  ['a tensor that is null', fileOf({ w: null }), /"w" is not described by dtype, shape and data_offsets/],
  ['a tensor without offsets', fileOf({ w: { dtype: 'F32', shape: [2] } }), /"w" is not described/],
  ['a shape that is no list', fileOf({ w: tensor(0, 8, { shape: '2' }) }), /"w" is not described/],
  ['a shape of fractions', fileOf({ w: tensor(0, 8, { shape: [0.5] }) }), /"w" is not described/],
  ['offsets below zero', fileOf({ w: tensor(-8, 0) }), /"w" is not described/],
  ['offsets of 2^53', fileOf({ w: tensor(2 ** 53, 2 ** 53 + 8) }), /"w" is not described/],
  ['offsets just below it', fileOf({ w: tensor(2 ** 53 - 9, 2 ** 53 - 1) }), /"w" lies outside/],
  ['an end before the start', fileOf({ w: tensor(8, 0) }), /"w" lies outside/],
  ['an end behind the file', fileOf({ w: tensor(0, 24) }), /"w" lies outside/],
  ['tensors that overlap', fileOf({ a: tensor(0, 8), b: tensor(4, 12) }), /tensors "a" and "b" overlap/],
  ['tensors of the same bytes', fileOf({ a: tensor(0, 8), b: tensor(0, 8) }), /tensors "a" and "b" overlap/],
  ['a name without end', fileOf({ ['n'.repeat(1_000_000)]: null }), /^.{0,300}$/],
];

for (const [what, bytes, expected] of refused)
  test(`${what} is refused as a file of weights, in words`, () => {
    assert.throws(() => decodeSafetensors(bytes), { message: expected });
  });

test('tensors without elements share no bytes', () => {
  const empty = { name: 'e', shape: [0], data: new Float32Array(0) };
  const full = { name: 'f', shape: [1], data: Float32Array.of(1) };
  assert.equal(decodeSafetensors(encodeSafetensors([empty, full, { ...empty, name: 'g' }])).size, 3);
});

test('a file of weights with bytes changed or cut off is read or refused, and nothing else', () => {
  const seed = Date.now() % 2 ** 32;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const file = fileOf({ a: tensor(0, 8), b: tensor(8, 16), __metadata__: { x: 'y' } });
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from(file);
    for (let i = random(4); i >= 0; i--) bytes[random(bytes.length - 16)] = random(256);
    try {
      for (const { offset, length } of decodeSafetensors(
        random(3) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes,
      ).values())
        assert.ok(offset >= 8 && offset + length <= bytes.length, `seed ${seed}, round ${round}`);
    } catch (error) {
      assert.match(
        (error as Error).message,
        /not a safetensors file/,
        `seed ${seed}, round ${round}: ${error}`,
      );
    }
  }
});
