import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCronSchedule } from './cron-schedule.ts';
import { isTimeZone, toZonedTime } from './time-zone.ts';

const text = (ms: number | undefined) => ms && new Date(ms).toISOString().slice(0, 16);

function times(schedule: string, from: string, count = 3, timeZone = 'UTC') {
  const found: unknown[] = [];
  let ms: number | undefined = Date.parse(`${from}:00Z`);
  while (found.length < count && ms !== undefined) {
    ms = parseCronSchedule(schedule, timeZone).next(ms);
    found.push(text(ms));
  }
  return found;
}

test('schedules name minutes, hours, days, months and weekdays in every form', () => {
  const cases: [string, string, string[]][] = [
    ['* * * * *', '2026-01-01T00:00', ['2026-01-01T00:01', '2026-01-01T00:02']],
    ['*/20 * * * *', '2026-01-01T00:05', ['2026-01-01T00:20', '2026-01-01T00:40', '2026-01-01T01:00']],
    ['5/25 * * * *', '2026-01-01T00:05', ['2026-01-01T00:30', '2026-01-01T00:55', '2026-01-01T01:05']],
    ['0 9-17/4 * * *', '2026-01-01T10:00', ['2026-01-01T13:00', '2026-01-01T17:00', '2026-01-02T09:00']],
    ['30 6 * * mon-fri', '2026-01-02T06:30', ['2026-01-05T06:30', '2026-01-06T06:30']],
    ['0 0 1 JAN,jul *', '2026-01-01T00:00', ['2026-07-01T00:00', '2027-01-01T00:00']],
    ['0 0 29 2 *', '2026-01-01T00:00', ['2028-02-29T00:00']],
    // Either day field is enough when both say something, and both must hold otherwise.
    ['0 0 13 * 5', '2026-02-01T00:00', ['2026-02-06T00:00', '2026-02-13T00:00', '2026-02-20T00:00']],
    ['0 0 */2 * 1', '2026-01-01T00:00', ['2026-01-03T00:00', '2026-01-05T00:00', '2026-01-07T00:00']],
    ['0 0 ? * 0', '2026-01-01T00:00', ['2026-01-04T00:00']],
    ['@hourly', '2026-01-01T00:10', ['2026-01-01T01:00']],
    ['@weekly', '2026-01-01T00:00', ['2026-01-04T00:00']],
    ['@every 1h30m', '2026-01-01T00:00', ['2026-01-01T01:30', '2026-01-01T03:00']],
  ];
  for (const [schedule, from, expected] of cases) {
    assert.deepEqual(times(schedule, from, expected.length), expected, schedule);
  }
  assert.equal(parseCronSchedule('0 0 30 2 *', 'UTC').next(0), undefined);
});

test('a time zone moves the schedule, and its clock changes are followed', () => {
  assert.deepEqual(times('0 9 * * *', '2026-03-28T00:00', 2, 'Europe/Berlin'), [
    '2026-03-28T08:00',
    '2026-03-29T07:00',
  ]);
  // Clocks go from 2 to 3: half past two does not exist that day.
  assert.deepEqual(times('30 2 * * *', '2026-03-28T00:00', 2, 'Europe/Berlin'), [
    '2026-03-28T01:30',
    '2026-03-30T00:30',
  ]);
  assert.deepEqual(times('0 0 * * *', '2026-01-01T00:00', 1, 'Asia/Kolkata'), ['2026-01-01T18:30']);
  // In Chile the clocks change at midnight.
  assert.deepEqual(times('0 12 * * *', '2026-09-04T20:00', 2, 'America/Santiago'), [
    '2026-09-05T16:00',
    '2026-09-06T15:00',
  ]);
  assert.equal(toZonedTime(0, 'America/New_York'), '1969-12-31T19:00:00-05:00');
  assert.equal(toZonedTime(0, 'UTC'), '1970-01-01T00:00:00Z');
  assert.deepEqual([isTimeZone('Europe/Paris'), isTimeZone('Nowhere/Land')], [true, false]);
});

test('the latest time of a schedule is found however long nobody looked', () => {
  const from = Date.parse('2020-01-01T00:00:00Z');
  const until = Date.parse('2026-01-01T10:07:30Z');
  const latest = (schedule: string) => text(parseCronSchedule(schedule, 'UTC').latest(from, until));
  assert.equal(latest('*/5 * * * *'), '2026-01-01T10:05');
  assert.equal(latest('0 0 1 6 *'), '2025-06-01T00:00');
  assert.equal(latest('@every 10m'), '2026-01-01T10:00');
  assert.equal(parseCronSchedule('0 * * * *', 'UTC').latest(until, until + 60_000), undefined);
});

test('what is wrong with a schedule is said as Kubernetes says it', () => {
  const cases: [string, string][] = [
    ['', 'empty spec string'],
    ['a b c', 'expected exactly 5 fields, found 3: [a b c]'],
    ['* * * * * *', 'expected exactly 5 fields, found 6: [* * * * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['5-3 * * * *', 'beginning of range (5) beyond end of range (3): 5-3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['@often', 'unrecognized descriptor: @often'],
  ];
  for (const [schedule, message] of cases) {
    assert.throws(() => parseCronSchedule(schedule, 'UTC'), new RangeError(message), schedule);
  }
});
