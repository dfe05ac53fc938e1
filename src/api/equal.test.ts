import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isContained } from './equal.ts';

test('containment ignores what the other has more, but not in lists', () => {
  assert.equal(isContained({ a: { b: 1 } }, { a: { b: 1, c: 2 }, d: 3 }), true);
  assert.equal(isContained({ a: [1] }, { a: [1, 2] }), false);
  assert.equal(isContained({ a: undefined, b: {} }, {}), true);
  assert.equal(isContained({ a: 1 }, undefined), false);
});
