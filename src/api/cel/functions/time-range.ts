import { CelError } from '../source.ts';
import { Duration, Timestamp } from '../values.ts';

const second = 1_000_000_000n;
const firstSecond = -62135596800n;
const lastSecond = 253402300799n;

/** Between the years 1 and 9999, or CelError. */
export function checkedTimestamp(nanos: bigint, zoneMinutes = 0): Timestamp {
  const seconds = floorDivide(nanos, second);
  if (seconds < firstSecond || seconds > lastSecond) throw new CelError('timestamp overflow');
  return new Timestamp(nanos, zoneMinutes);
}

/** What Go's durations hold: an int64 of nanoseconds. */
export function checkedDuration(nanos: bigint): Duration {
  if (BigInt.asIntN(64, nanos) !== nanos) throw new CelError('integer overflow');
  return new Duration(nanos);
}

export function floorDivide(x: bigint, y: bigint): bigint {
  const quotient = x / y;
  return quotient * y > x ? quotient - 1n : quotient;
}
