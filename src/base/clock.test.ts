import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTime } from './clock.ts';

test('a time is written in whole seconds, whichever was written before', () => {
  const ms = Date.UTC(2026, 0, 2, 3, 4, 5, 999);
  const table: [number, string][] = [
    [ms, '2026-01-02T03:04:05Z'],
    [ms - 999, '2026-01-02T03:04:05Z'],
    [ms + 1, '2026-01-02T03:04:06Z'],
    [ms, '2026-01-02T03:04:05Z'],
    [-1, '1969-12-31T23:59:59Z'],
    [0, '1970-01-01T00:00:00Z'],
  ];
  for (const [at, text] of table) assert.equal(toTime(at), text);
});
