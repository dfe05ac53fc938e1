import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clone } from './clone.ts';

test('a clone is equal and shares no object with the original', () => {
  const original = { a: [1, { b: null, c: 'x' }], d: {}, e: true, f: undefined };
  const copy = clone(original);
  assert.deepEqual(copy, original);
  (copy.a[1] as { c: string }).c = 'y';
  assert.deepEqual(original.a[1], { b: null, c: 'x' });
  assert.notEqual(copy.d, original.d);
});

test('a member named __proto__ stays a member', () => {
  const copy = clone(JSON.parse('{"__proto__": {"polluted": true}, "a": 1}'));
  assert.deepEqual(Object.keys(copy), ['__proto__', 'a']);
  assert.equal((copy as { polluted?: boolean }).polluted, undefined);
});
