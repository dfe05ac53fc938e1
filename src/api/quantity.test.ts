import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  knownMax,
  quantitiesKnown,
  quantityMilliValue,
  quantityNumber,
  quantityValue,
  subtractQuantities,
} from './quantity.ts';

test('quantities are written in their canonical form', () => {
  const table: [string | number, string][] = [
    ['0', '0'],
    ['0.5', '500m'],
    [2, '2'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['1000Ki', '1000Ki'],
    ['0.001Gi', '1073741824m'],
    ['3.14159Ki', '3216988160u'],
    ['1000k', '1M'],
    ['1e3', '1e3'],
    ['1E6', '1e6'],
    ['100e0', '100'],
    ['.1', '100m'],
    ['1.', '1'],
    ['-1000m', '-1'],
    ['0.0000000001', '1n'],
    ['9223372036854775808Ei', '9223372036854775807'],
    ['1E', '1E'],
  ];
  for (const [written, canonical] of table)
    assert.equal(canonicalQuantity(written), canonical, String(written));
});

test('what is no quantity is refused with the pattern that it should match', () => {
  for (const text of ['', 'abc', '1 Gi', '--1', '.', '1.2.3']) {
    assert.throws(() => canonicalQuantity(text), /quantities must match the regular expression/, text);
  }
  for (const text of ['1GB', '1mm', '1KI', '1e'])
    assert.throws(() => canonicalQuantity(text), RangeError, text);
});

test('quantities of different suffixes compare, add and subtract exactly', () => {
  assert.equal(compareQuantities('1Gi', '1G'), 1);
  assert.equal(compareQuantities('1000m', '1'), 0);
  assert.equal(compareQuantities('999m', '1'), -1);
  assert.equal(addQuantities('100m', '0.9'), '1');
  assert.equal(addQuantities('0', '64Mi', '64Mi'), '128Mi');
  assert.equal(addQuantities(), '0');
  assert.equal(subtractQuantities('1', '250m'), '750m');
  assert.equal(quantityValue('1Ki'), 1024);
  assert.equal(quantityValue('1m'), 1);
  assert.equal(quantityMilliValue('0.25'), 250);
});

test('a quantity is read as a number of units in all of its forms', () => {
  const read = ['100m', '1.5Gi', '1e3', '2k', '.5', '64Mi', '3E', '7'].map(quantityNumber);
  assert.deepEqual(read, [0.1, 1.5 * 2 ** 30, 1000, 2000, 0.5, 64 * 2 ** 20, 3e18, 7]);
  assert.throws(() => quantityNumber('1 Gi'), RangeError);
});

test('what was read is kept, but neither very much nor very long', () => {
  for (let count = 0; count < 3 * knownMax; count++) {
    assert.equal(canonicalQuantity(`${count}m`), canonicalQuantity(`0${count}m`));
  }
  assert.ok(quantitiesKnown() <= knownMax);
  const before = quantitiesKnown();
  canonicalQuantity('1'.padStart(10_000, '0'));
  assert.ok(quantitiesKnown() <= before);
});
