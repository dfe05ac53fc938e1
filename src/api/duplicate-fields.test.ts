import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duplicateFields, membersIn } from './duplicate-fields.ts';

test('members are counted as they are written, whatever their names and texts hold', () => {
  const texts: [string, number][] = [
    ['{}', 0],
    ['"a:"', 0],
    ['{"a":{"b" : [1, {"c":":"}]}}', 3],
    ['{"a":"\\"b\\":","c\\\\":"\\\\"}', 2],
    ['{"a":1,"a":\n{"a":2}}', 3],
    ['["a",":","{\\"x\\":1}"]', 0],
  ];
  for (const [text, count] of texts) assert.equal(membersIn(text), count, text);
});

test('a member that is there twice is found, which its number tells', () => {
  const text = '{"spec":{"a":1,"b":[{"c":1,"c":2}],"a":2}}';
  assert.deepEqual(duplicateFields(text), ['spec.b[0].c', 'spec.a']);
  assert.equal(membersIn(text), 6);
});
