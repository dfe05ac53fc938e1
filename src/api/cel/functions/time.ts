import { offsetMs } from '../../time-zone.ts';
import { CelError } from '../source.ts';
import { type CelType, durationType, intType, stringType, timestampType } from '../types.ts';
import type { Duration, Timestamp } from '../values.ts';
import { library, memberFunction as member } from './overload.ts';
import { checkedDuration, checkedTimestamp, floorDivide } from './time-range.ts';

const dayMs = 86_400_000;

const fields: Record<string, (at: Date) => number> = {
  getFullYear: (at) => at.getUTCFullYear(),
  getMonth: (at) => at.getUTCMonth(),
  getDate: (at) => at.getUTCDate(),
  getDayOfMonth: (at) => at.getUTCDate() - 1,
  getDayOfWeek: (at) => at.getUTCDay(),
  getDayOfYear: (at) => Math.floor((at.getTime() - startOfYear(at)) / dayMs),
  getHours: (at) => at.getUTCHours(),
  getMinutes: (at) => at.getUTCMinutes(),
  getSeconds: (at) => at.getUTCSeconds(),
  getMilliseconds: (at) => at.getUTCMilliseconds(),
};

const units: Record<string, bigint> = {
  getHours: 3_600_000_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
  getMilliseconds: 1_000_000n,
};

const zoned: readonly CelType[] = [timestampType, stringType];

export const timeLibrary = library(
  ...Object.entries(fields).flatMap(([name, read]) => [
    member(name, `timestamp_${name}`, [timestampType], intType, (at: Timestamp) => BigInt(read(dateOf(at)))),
    member(name, `timestamp_${name}_with_tz`, zoned, intType, (at: Timestamp, zone: string) =>
      BigInt(read(dateOf(at, zone))),
    ),
  ]),
  ...Object.entries(units).map(([name, unit]) =>
    member(name, `duration_${name}`, [durationType], intType, ({ nanos }: Duration) =>
      name === 'getMilliseconds' ? (nanos / unit) % 1000n : nanos / unit,
    ),
  ),
);

function dateOf({ nanos }: Timestamp, zone = 'UTC'): Date {
  const ms = Number(floorDivide(nanos, 1_000_000n));
  if (zone === 'UTC' || zone === '') return new Date(ms);
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    return new Date(ms + (fixed[1] === '-' ? -minutes : minutes) * 60_000);
  }
  try {
    return new Date(ms + offsetMs(ms, zone));
  } catch {
    throw new CelError(`unknown time zone ${zone}`);
  }
}

function startOfYear(at: Date): number {
  const start = new Date(at);
  start.setUTCMonth(0, 1);
  start.setUTCHours(0, 0, 0, 0);
  return start.getTime();
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** A timestamp from RFC 3339, up to nanoseconds. Throws CelError. */
export function parseTimestamp(text: string): Timestamp {
  const match = rfc3339.exec(text);
  const ms = match && Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
  const isDay = match && Number(match[3]) === new Date(ms ?? Number.NaN).getUTCDate();
  if (!match || ms === null || Number.isNaN(ms) || !isDay) {
    throw new CelError(`parsing time "${text}" as "2006-01-02T15:04:05Z07:00": cannot parse`);
  }
  const zone = match[8] ? (Number(match[9]) * 60 + Number(match[10])) * (match[8] === '-' ? -1 : 1) : 0;
  const fraction = BigInt((match[7] ?? '').padEnd(9, '0').slice(0, 9));
  return checkedTimestamp(BigInt(ms - zone * 60_000) * 1_000_000n + fraction, zone);
}

/** RFC 3339 in the zone in which it was written. */
export function formatTimestamp({ nanos, zoneMinutes }: Timestamp): string {
  const wall = nanos + BigInt(zoneMinutes) * 60_000_000_000n;
  const seconds = floorDivide(wall, 1_000_000_000n);
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const rest = String(wall - seconds * 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const minutes = Math.abs(zoneMinutes);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const zone =
    minutes === 0 ? 'Z' : `${zoneMinutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
  return `${date}${rest === '' ? '' : `.${rest}`}${zone}`;
}

const durationUnits: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Go's durations: `1h2m3.5s`. Throws CelError. */
export function parseDuration(text: string): Duration {
  const match = /^([+-]?)(?:0|((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+))$/.exec(text);
  if (!match) throw new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  let nanos = 0n;
  for (const part of (match[2] ?? '').matchAll(/(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const unit = durationUnits[part[3]!]!;
    const digits = BigInt(`${part[1]}${part[2]}` || '0');
    nanos += (digits * unit) / 10n ** BigInt(part[2]!.length);
  }
  const signed = match[1] === '-' ? -nanos : nanos;
  if (signed > 315_576_000_000n * 1_000_000_000n || signed < -315_576_000_000n * 1_000_000_000n) {
    throw new CelError('range');
  }
  return checkedDuration(signed);
}

/** Seconds, with a fraction where there is one: `3.5s`. */
export function formatDuration({ nanos }: Duration): string {
  const magnitude = nanos < 0n ? -nanos : nanos;
  const rest = String(magnitude % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${rest === '' ? '' : `.${rest}`}s`;
}
