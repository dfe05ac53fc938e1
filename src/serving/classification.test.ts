import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classesMax, classify, readClassCount } from './classification.ts';
import type { Tensor } from './datatype.ts';

const floats = (shape: number[], ...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});

test('the highest values of each row become value, index and label', () => {
  const { datatype, shape, data } = classify('y', floats([2, 3], 0.25, 0.5, 0.125, 7, -1, 7), 2, ['a', 'b']);
  assert.deepEqual({ datatype, shape }, { datatype: 'BYTES', shape: [2, 2] });
  assert.deepEqual(data, ['0.500000:1:b', '0.250000:0:a', '7.000000:0:a', '7.000000:2']);
});

test('without a batch there is one list, and never more classes than values', () => {
  const integers: Tensor = { datatype: 'INT64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 1n) };
  const { shape, data } = classify('y', integers, 9, undefined);
  assert.deepEqual([shape, data], [[2], ['1:1', '-9223372036854775808:0']]);
  assert.deepEqual(classify('y', floats([0, 3]), 2, undefined), {
    datatype: 'BYTES',
    shape: [0, 0],
    data: [],
  });
});

test('NaN is below all numbers', () => {
  const { data } = classify('y', floats([1, 4], Number.NaN, -Infinity, Infinity, 0), 4, undefined);
  assert.deepEqual(data, ['inf:2', '0.000000:3', '-inf:1', 'nan:0']);
});

test('text and rows of too many values are refused', () => {
  const text: Tensor = { datatype: 'BYTES', shape: [1], data: ['x'] };
  assert.throws(() => classify('y', text, 1, undefined), /output "y" is BYTES: only numbers/);
  const many = floats([classesMax + 1], ...[]);
  assert.throws(
    () => classify('y', { ...many, data: new Float32Array(classesMax + 1) }, 1, undefined),
    /65536/,
  );
});

test('how many classes are wanted is a whole number; 0 is none', () => {
  assert.equal(readClassCount(0, 'outputs[0]'), undefined);
  assert.equal(readClassCount(3, 'outputs[0]'), 3);
  for (const wrong of [-1, 1.5, '3', true, null])
    assert.throws(() => readClassCount(wrong, 'outputs[0]'), /how many classes are wanted/);
});
