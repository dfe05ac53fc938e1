import { CelError } from '../source.ts';
import { CelList, CelMap, Duration, Timestamp, TypeValue, typeName, Uint, type Value } from '../values.ts';
import { formatDuration, formatTimestamp } from './time.ts';

/** `'%s: %d'.format([…])`. */
export function formatText(template: string, args: readonly Value[]): string {
  let next = 0;
  return template.replace(
    /%(?:%|(?:\.(\d*))?([a-zA-Z]?))|%$/g,
    (match, precision: string | undefined, verb = '') => {
      if (match === '%%') return '%';
      const clause = clauses[verb];
      if (!clause)
        throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
      if (next >= args.length) throw new CelError(`index ${next} out of range`);
      return clause(args[next++]!, precision === undefined || precision === '' ? 6 : Number(precision));
    },
  );
}

const clauses: Record<string, (value: Value, precision: number) => string> = {
  s: (value) => show(value),
  d: decimal,
  f: (value, precision) => real(value, precision, 'fixed-point', (x) => toFixedEven(x, precision)),
  e: (value, precision) =>
    real(value, precision, 'scientific', (x) => x.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')),
  b: (value) => {
    if (typeof value === 'boolean') return value ? '1' : '0';
    return integer(value, 'binary', 'integers and bools').toString(2);
  },
  o: (value) => integer(value, 'octal', 'integers').toString(8),
  x: hexadecimal,
  X: (value) => hexadecimal(value).toUpperCase(),
};

const failed = (what: string, allowed: string, value: Value) =>
  new CelError(
    `error during formatting: ${what} clause can only be used on ${allowed}, was given ${typeName(value)}`,
  );

function decimal(value: Value): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return special(value);
  return integer(value, 'decimal', 'integers').toString();
}

function integer(value: Value, what: string, allowed: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value;
  throw failed(what, allowed, value);
}

const special = (x: number) => (Number.isNaN(x) ? 'NaN' : x > 0 ? 'Infinity' : '-Infinity');

function real(value: Value, _precision: number, what: string, write: (x: number) => string): string {
  const x = typeof value === 'bigint' ? Number(value) : value instanceof Uint ? Number(value.value) : value;
  if (x === 'NaN') return 'NaN';
  if (x === 'Infinity' || x === '-Infinity') return x;
  if (typeof x !== 'number') throw failed(what, 'doubles', value);
  return Number.isFinite(x) ? write(x) : special(x);
}

function hexadecimal(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return integer(value, 'hex', 'integers, byte buffers, and strings').toString(16);
}

function show(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? showDouble(value) : special(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof CelList) return `[${value.items.map(show).join(', ')}]`;
  if (!(value instanceof CelMap)) {
    throw new CelError(
      `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeName(value)}`,
    );
  }
  const entries = value.keys().map((key) => [show(key), show(value.get(key)!)] as const);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, of]) => `${key}: ${of}`)
    .join(', ')}}`;
}

const showDouble = (x: number) =>
  String(x)
    .replace('e+', 'e+')
    .replace(/e([+-])(\d)$/, 'e$10$2');

// Go rounds halves to even, JavaScript away from zero.
function toFixedEven(x: number, precision: number): string {
  const text = x.toFixed(precision);
  const exact = x.toFixed(Math.min(100, precision + 25));
  const dropped = exact.slice(exact.length - 25);
  if (!/^50*$/.test(dropped) || precision + 25 > 100) return text;
  const down = exact.slice(0, -25).replace(/\.$/, '');
  return /[02468]$/.test(down) ? down : text;
}
