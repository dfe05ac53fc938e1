import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageOf, humanDuration } from './duration.ts';

// The table of apimachinery's own test of HumanDuration.
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

test('durations are shown with the one or two units that matter', () => {
  const table: [number, string][] = [
    [second, '1s'],
    [70 * second, '70s'],
    [190 * second, '3m10s'],
    [70 * minute, '70m'],
    [47 * hour, '47h'],
    [49 * hour, '2d1h'],
    [8 * day + 2 * hour, '8d'],
    [367 * day, '367d'],
    [2 * year + 25 * day, '2y25d'],
    [8 * year + 2 * day, '8y'],
    [0, '0s'],
    [-1.9 * second, '0s'],
    [-2 * second, '<invalid>'],
    [10 * minute - 1, '9m59s'],
    [10 * minute, '10m'],
    [3 * hour, '3h'],
    [7 * hour + 59 * minute, '7h59m'],
    [8 * hour, '8h'],
    [5 * day, '5d'],
  ];
  for (const [ms, text] of table) assert.equal(humanDuration(ms), text, `${ms} ms`);
});

test('an absent time has an unknown age', () => {
  assert.equal(ageOf(undefined, 0), '<unknown>');
  assert.equal(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:45Z')), '45s');
});
