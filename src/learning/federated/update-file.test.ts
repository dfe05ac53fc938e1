import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomGenerator } from '../../ml/random.ts';
import { decodeUpdate, encodeUpdate, type Parameter } from './update-file.ts';

const parameters: Parameter[] = [
  { name: 'dense/kernel', shape: [30, 20], offset: 0, size: 600 },
  { name: 'dense/bias', shape: [20], offset: 600, size: 20 },
  { name: 'still', shape: [3], offset: 620, size: 3 },
];
const random = randomGenerator(1);
const delta = Float32Array.from({ length: 623 }, (_, index) => {
  if (index >= 620) return 0;
  return (random() - 0.5) * (index < 600 ? 0.01 : 5);
});

test('float32 gives the same numbers back', () => {
  assert.deepEqual(decodeUpdate(encodeUpdate(delta, parameters), parameters), delta);
});

test("8 bits take a quarter of the bytes, and no element is off by more than half its tensor's unit", () => {
  const [full, small] = [encodeUpdate(delta, parameters), encodeUpdate(delta, parameters, 'int8')];
  const found = decodeUpdate(small, parameters);
  for (const { offset, size } of parameters) {
    const values = delta.subarray(offset, offset + size);
    const unit = Math.max(...values.map(Math.abs)) / 127;
    values.forEach((value, index) => {
      assert.ok(Math.abs(found[offset + index]! - value) <= unit / 2 + 1e-7);
    });
  }
  const header = (bytes: Uint8Array) => 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.equal(full.length - header(full), 4 * 623);
  assert.equal(small.length - header(small), 623 + 4 * parameters.length);
});

test('a file from elsewhere, unaligned in its buffer, is read too', () => {
  for (const encoding of ['float32', 'int8'] as const) {
    const bytes = Buffer.concat([Buffer.from('x'), encodeUpdate(delta, parameters, encoding)]).subarray(1);
    assert.deepEqual(decodeUpdate(bytes, parameters), decodeUpdate(Uint8Array.from(bytes), parameters));
  }
});

test('another shape, a missing tensor, a cut file and numbers that are not finite are refused', () => {
  const shaped = (shape: number[]) => [{ ...parameters[0]!, shape }, ...parameters.slice(1)];
  for (const encoding of ['float32', 'int8'] as const) {
    const other = encodeUpdate(delta, shaped([20, 30]), encoding);
    assert.throws(() => decodeUpdate(other, parameters), /"dense\/kernel".*30, 20.*20, 30/);
    const short = encodeUpdate(delta, parameters.slice(1), encoding);
    assert.throws(() => decodeUpdate(short, parameters), /needs weights "dense\/kernel"/);
    const cut = encodeUpdate(delta, parameters, encoding).subarray(0, -1);
    assert.throws(() => decodeUpdate(cut, parameters), /cut short/);
  }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const bad = delta.slice();
    bad[610] = value;
    assert.throws(
      () => decodeUpdate(encodeUpdate(bad, parameters), parameters),
      /"dense\/bias" has numbers that are not finite/,
    );
  }
  assert.throws(() => decodeUpdate(new Uint8Array(5), parameters), /not a safetensors file/);
});

test('a header with impossible places is refused', () => {
  const header = JSON.stringify({
    'dense/kernel': { dtype: 'F32', shape: [30, 20], data_offsets: [0, 1e15] },
  });
  const bytes = new Uint8Array(8 + header.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(new TextEncoder().encode(header), 8);
  assert.throws(() => decodeUpdate(bytes, parameters), /lies outside/);
});
