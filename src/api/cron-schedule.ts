import { type LocalTime, localTime } from './time-zone.ts';

/** When something is due. Times are milliseconds since the epoch. */
export interface CronSchedule {
  /** The first time after `afterMs`; undefined when there is none in the next five years. */
  next(afterMs: number): number | undefined;
  /** The last time after `afterMs` and not after `untilMs`. */
  latest(afterMs: number, untilMs: number): number | undefined;
}

const searchYears = 5;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * Reads `minute hour day-of-month month day-of-week`, or `@hourly` and the like, or `@every 1h30m`. Throws a RangeError
 * in the words of the library that Kubernetes uses. https://en.wikipedia.org/wiki/Cron
 */
export function parseCronSchedule(text: string, timeZone: string): CronSchedule {
  if (text === '') throw new RangeError('empty spec string');
  const every = /^@every (.*)$/.exec(text);
  if (every) return constantDelay(parseDuration(every[1]!, text));
  const spec = text.startsWith('@') ? descriptors[text] : text;
  if (spec === undefined) throw new RangeError(`unrecognized descriptor: ${text}`);
  const fields = spec.trim().split(/\s+/);
  if (fields.length !== ranges.length) {
    throw new RangeError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  }
  const [minutes, hours, days, months, weekdays] = fields.map((field, at) =>
    parseField(field, ranges[at]!),
  ) as [Field, Field, Field, Field, Field];
  const matchesDay = (at: LocalTime) => {
    const [onDay, onWeekday] = [days.values.has(at.day), weekdays.values.has(at.weekday)];
    return days.isStar || weekdays.isStar ? onDay && onWeekday : onDay || onWeekday;
  };
  const next = (afterMs: number): number | undefined => {
    const endMs = afterMs + searchYears * 366 * 24 * hourMs;
    let ms = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
    while (ms < endMs) {
      const at = localTime(ms, timeZone);
      if (!months.values.has(at.month) || !matchesDay(at)) ms = nextMidnight(ms, at, timeZone);
      else if (!hours.values.has(at.hour)) ms += (60 - at.minute) * minuteMs;
      else if (!minutes.values.has(at.minute)) ms += minuteMs;
      else return ms;
    }
    return undefined;
  };
  return { next, latest: (afterMs, untilMs) => latestOf(next, afterMs, untilMs) };
}

/** Looks back in growing steps, so that a schedule that was missed for years costs no more than one that was not. */
function latestOf(next: CronSchedule['next'], afterMs: number, untilMs: number): number | undefined {
  for (let backMs = minuteMs; ; backMs *= 2) {
    const fromMs = Math.max(afterMs, untilMs - backMs);
    let found: number | undefined;
    for (let ms = next(fromMs); ms !== undefined && ms <= untilMs; ms = next(ms)) found = ms;
    if (found !== undefined || fromMs === afterMs) return found;
  }
}

/** The local day that follows. Where clocks change at midnight the day may begin at another hour. */
function nextMidnight(ms: number, at: LocalTime, timeZone: string): number {
  const guessMs = ms + ((24 - at.hour) * 60 - at.minute) * minuteMs;
  const { hour, minute } = localTime(guessMs, timeZone);
  if (hour === 0 && minute === 0) return guessMs;
  if (hour > 12) return guessMs + ((24 - hour) * 60 - minute) * minuteMs;
  const earlierMs = guessMs - (hour * 60 + minute) * minuteMs;
  return localTime(earlierMs, timeZone).day === at.day ? guessMs : earlierMs;
}

function constantDelay(delayMs: number): CronSchedule {
  const seconds = (ms: number) => Math.floor(ms / 1000) * 1000;
  return {
    next: (afterMs) => seconds(afterMs) + delayMs,
    latest(afterMs, untilMs) {
      const times = Math.floor((untilMs - seconds(afterMs)) / delayMs);
      return times > 0 ? seconds(afterMs) + times * delayMs : undefined;
    },
  };
}

const descriptors: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Range {
  min: number;
  max: number;
  /** The number of each is its place after `min`. */
  names?: readonly string[];
}

const ranges: readonly Range[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  {
    min: 1,
    max: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

interface Field {
  values: Set<number>;
  /** Says nothing; then only the other of the two day fields counts. */
  isStar: boolean;
}

function parseField(text: string, range: Range): Field {
  const field: Field = { values: new Set(), isStar: false };
  for (const part of text.split(',').filter((part) => part !== '')) {
    const { first, last, step, isStar } = parsePart(part, range);
    for (let value = first; value <= last; value += step) field.values.add(value);
    field.isStar ||= isStar;
  }
  return field;
}

function parsePart(part: string, range: Range) {
  const [span = '', stepText, ...tooManySteps] = part.split('/');
  const [low = '', high, ...tooManyEnds] = span.split('-');
  if (tooManyEnds.length > 0) throw new RangeError(`too many hyphens: ${part}`);
  if (tooManySteps.length > 0) throw new RangeError(`too many slashes: ${part}`);
  const isAny = low === '*' || low === '?';
  const first = isAny ? range.min : numberOf(low, range);
  const isOpen = isAny || (high === undefined && stepText !== undefined);
  const last = isOpen ? range.max : high === undefined ? first : numberOf(high, range);
  const step = stepText === undefined ? 1 : numberOf(stepText);
  if (first < range.min)
    throw new RangeError(`beginning of range (${first}) below minimum (${range.min}): ${part}`);
  if (last > range.max) throw new RangeError(`end of range (${last}) above maximum (${range.max}): ${part}`);
  if (first > last)
    throw new RangeError(`beginning of range (${first}) beyond end of range (${last}): ${part}`);
  if (step === 0) throw new RangeError(`step of range should be a positive number: ${part}`);
  return { first, last, step, isStar: isAny && step === 1 };
}

function numberOf(text: string, range?: Range): number {
  const place = range?.names?.indexOf(text.toLowerCase()) ?? -1;
  if (range && place >= 0) return range.min + place;
  if (/^-\d+$/.test(text)) throw new RangeError(`negative number (${text}) not allowed: ${text}`);
  if (/^\+?\d+$/.test(text)) return Number(text);
  throw new RangeError(
    `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: minuteMs, h: hourMs };

/** Go's durations, at least a second. */
function parseDuration(text: string, whole: string): number {
  if (!/^(\d+(\.\d*)?(ms|s|m|h))+$/.test(text)) {
    throw new RangeError(`failed to parse duration ${whole}: time: invalid duration ${JSON.stringify(text)}`);
  }
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ms|s|m|h)/g))
    ms += Number(number) * unitMs[unit!]!;
  return Math.max(1000, Math.floor(ms / 1000) * 1000);
}
