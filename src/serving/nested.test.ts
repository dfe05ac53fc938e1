import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flattenNested, nest, shapeOfNested, shown } from './nested.ts';

test('nested lists flatten in row-major order and nest back', () => {
  const value = [[[1, 2]], [[3, 4]], [[5, 6]]];
  const shape = shapeOfNested(value, 'x');
  assert.deepEqual(shape, [3, 1, 2]);
  const flat = flattenNested(value, shape, 'x');
  assert.deepEqual(flat, [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(nest(flat, shape), value);
});

test('a scalar and lists without elements keep their shapes', () => {
  assert.deepEqual(nest(flattenNested(7, shapeOfNested(7, 'x'), 'x'), []), 7);
  assert.deepEqual(shapeOfNested([[], []], 'x'), [2, 0]);
  assert.deepEqual(nest([], [2, 0]), [[], []]);
});

test('whatever a client sends is shown short', () => {
  assert.equal(shown([[1]]), 'a list');
  assert.equal(shown({ a: 1 }), 'an object');
  assert.equal(shown(undefined), 'undefined');
  assert.equal(shown('x'.repeat(1000)).length, 100);
});
