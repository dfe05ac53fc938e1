import { CelError } from '../source.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  intType,
  parameter,
  stringType,
  timestampType,
  typeOfType,
  uintType,
} from '../types.ts';
import { Duration, type Timestamp, TypeValue, typeName, type Uint, type Value } from '../values.ts';
import { int64, uint64 } from './operators.ts';
import { globalFunction as fn, library } from './overload.ts';
import { formatDuration, formatTimestamp, parseDuration, parseTimestamp } from './time.ts';
import { checkedTimestamp, floorDivide } from './time-range.ts';

const second = 1_000_000_000n;

export const conversionLibrary = library(
  fn('int', 'int64_to_int64', [intType], intType, (x: bigint) => x),
  fn('int', 'uint64_to_int64', [uintType], intType, (x: Uint) => int64(x.value)),
  fn('int', 'double_to_int64', [doubleType], intType, doubleToInt),
  fn('int', 'string_to_int64', [stringType], intType, (x: string) => {
    if (!/^[+-]?\d+$/.test(x))
      throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(x)}: invalid syntax`);
    return int64(BigInt(x.replace('+', '')));
  }),
  fn('int', 'timestamp_to_int64', [timestampType], intType, (x: Timestamp) => floorDivide(x.nanos, second)),
  fn('int', 'duration_to_int64', [durationType], intType, (x: Duration) => x.nanos),
  fn('uint', 'uint64_to_uint64', [uintType], uintType, (x: Uint) => x),
  fn('uint', 'int64_to_uint64', [intType], uintType, (x: bigint) => uint64(x)),
  fn('uint', 'double_to_uint64', [doubleType], uintType, (x: number) => {
    if (!(x >= 0) || x >= 2 ** 64) throw new CelError('unsigned integer overflow');
    return uint64(BigInt(Math.trunc(x)));
  }),
  fn('uint', 'string_to_uint64', [stringType], uintType, (x: string) => {
    if (!/^\d+$/.test(x))
      throw new CelError(`strconv.ParseUint: parsing ${JSON.stringify(x)}: invalid syntax`);
    return uint64(BigInt(x));
  }),
  fn('double', 'double_to_double', [doubleType], doubleType, (x: number) => x),
  fn('double', 'int64_to_double', [intType], doubleType, Number),
  fn('double', 'uint64_to_double', [uintType], doubleType, (x: Uint) => Number(x.value)),
  fn('double', 'string_to_double', [stringType], doubleType, textToDouble),
  fn('bool', 'bool_to_bool', [boolType], boolType, (x: boolean) => x),
  fn('bool', 'string_to_bool', [stringType], boolType, (x: string) => {
    if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(x)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(x)) return false;
    throw new CelError(`strconv.ParseBool: parsing ${JSON.stringify(x)}: invalid syntax`);
  }),
  fn('bytes', 'bytes_to_bytes', [bytesType], bytesType, (x: Uint8Array) => x),
  fn('bytes', 'string_to_bytes', [stringType], bytesType, (x: string) => Buffer.from(x, 'utf8')),
  fn('string', 'string_to_string', [stringType], stringType, (x: string) => x),
  fn('string', 'bool_to_string', [boolType], stringType, String),
  fn('string', 'bytes_to_string', [bytesType], stringType, (x: Uint8Array) => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(x);
    } catch {
      throw new CelError('invalid UTF-8 in bytes, cannot convert to string');
    }
  }),
  fn('string', 'double_to_string', [doubleType], stringType, formatDouble),
  fn('string', 'int64_to_string', [intType], stringType, String),
  fn('string', 'uint64_to_string', [uintType], stringType, (x: Uint) => String(x.value)),
  fn('string', 'timestamp_to_string', [timestampType], stringType, formatTimestamp),
  fn('string', 'duration_to_string', [durationType], stringType, formatDuration),
  fn('timestamp', 'timestamp_to_timestamp', [timestampType], timestampType, (x: Timestamp) => x),
  fn('timestamp', 'string_to_timestamp', [stringType], timestampType, parseTimestamp),
  fn('timestamp', 'int64_to_timestamp', [intType], timestampType, (x: bigint) =>
    checkedTimestamp(x * second),
  ),
  fn('duration', 'duration_to_duration', [durationType], durationType, (x: Duration) => x),
  fn('duration', 'string_to_duration', [stringType], durationType, parseDuration),
  fn('duration', 'int64_to_duration', [intType], durationType, (x: bigint) => new Duration(x)),
  fn('type', 'type', [parameter('A')], typeOfType(parameter('A')), (x: Value) => new TypeValue(typeName(x))),
);

export const conversionNames = new Set([
  'bool',
  'bytes',
  'double',
  'duration',
  'int',
  'string',
  'timestamp',
  'uint',
]);

function doubleToInt(x: number): bigint {
  if (!(x > -(2 ** 63) && x < 2 ** 63)) throw new CelError('integer overflow');
  return BigInt(Math.trunc(x));
}

function textToDouble(text: string): number {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  const word = /^([+-]?)(nan|inf|infinity)$/i.exec(text);
  if (!word) throw new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (word[2]!.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? -Infinity : Infinity;
}

/** As Go's shortest `%g`: `1e+06`, `0.5`, `NaN`, `+Inf`. */
export function formatDouble(x: number): string {
  if (Number.isNaN(x)) return 'NaN';
  if (!Number.isFinite(x)) return x > 0 ? '+Inf' : '-Inf';
  if (x === 0) return Object.is(x, -0) ? '-0' : '0';
  const [digits, exponent] = x.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 6) return plainDecimal(x);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

// JavaScript itself writes numbers under 1e-6 with an exponent.
function plainDecimal(x: number): string {
  const text = String(x);
  return text.includes('e') ? x.toFixed(20).replace(/0+$/, '') : text;
}
