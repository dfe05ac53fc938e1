import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern, patternsKeptMax } from './re2.ts';

test('patterns are those of RE2: classes by name, no lookahead, linear time', () => {
  assert.ok(compilePattern('^[[:alpha:]]+\\z').test('abc'));
  assert.ok(compilePattern('(?i)^ABC$').test('abc'));
  assert.throws(() => compilePattern('a(?=b)'));
  const startMs = performance.now();
  assert.ok(!compilePattern('^(a+)+$').test(`${'a'.repeat(2_000)}b`));
  assert.ok(performance.now() - startMs < 60_000);
});

test('no more patterns are kept than the bound', () => {
  const first = compilePattern('first');
  assert.equal(compilePattern('first'), first);
  for (let index = 0; index < patternsKeptMax; index++) compilePattern(`other${index}`);
  assert.notEqual(compilePattern('first'), first);
});
