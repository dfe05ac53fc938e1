import { type CelNumber, compareNumbers, equal, mergeKey } from '../equal.ts';
import { CelError } from '../source.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  optionalOf,
  parameter,
  stringType,
  timestampType,
  uintType,
} from '../types.ts';
import {
  type CelList,
  type CelMap,
  CelObject,
  CelOptional,
  Duration,
  noneOptional,
  PlainList,
  showKey,
  type Timestamp,
  Uint,
  type Value,
} from '../values.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';
import { checkedDuration, checkedTimestamp } from './time-range.ts';

const a = parameter('A');
const b = parameter('B');
const listA = listOf(a);
const mapAB = mapOf(a, b);

/** An int64, or CelError. */
export function int64(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new CelError('integer overflow');
  return value;
}

export function uint64(value: bigint): Uint {
  if (BigInt.asUintN(64, value) !== value) throw new CelError('unsigned integer overflow');
  return new Uint(value);
}

const divide = (x: bigint, y: bigint) => {
  if (y === 0n) throw new CelError('division by zero');
  return x / y;
};
const modulo = (x: bigint, y: bigint) => {
  if (y === 0n) throw new CelError('modulus by zero');
  return x % y;
};

const arithmetic = library(
  fn('_+_', 'add_int64', [intType, intType], intType, (x: bigint, y: bigint) => int64(x + y)),
  fn('_+_', 'add_uint64', [uintType, uintType], uintType, (x: Uint, y: Uint) => uint64(x.value + y.value)),
  fn('_+_', 'add_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x + y),
  fn('_+_', 'add_string', [stringType, stringType], stringType, (x: string, y: string) => x + y),
  fn('_+_', 'add_bytes', [bytesType, bytesType], bytesType, (x: Uint8Array, y: Uint8Array) =>
    Buffer.concat([x, y]),
  ),
  fn('_+_', 'add_list', [listA, listA], listA, addLists),
  fn('_+_', 'add_timestamp_duration', [timestampType, durationType], timestampType, addToTimestamp),
  fn(
    '_+_',
    'add_duration_timestamp',
    [durationType, timestampType],
    timestampType,
    (x: Duration, y: Timestamp) => addToTimestamp(y, x),
  ),
  fn('_+_', 'add_duration_duration', [durationType, durationType], durationType, (x: Duration, y: Duration) =>
    checkedDuration(x.nanos + y.nanos),
  ),
  fn('_-_', 'subtract_int64', [intType, intType], intType, (x: bigint, y: bigint) => int64(x - y)),
  fn('_-_', 'subtract_uint64', [uintType, uintType], uintType, (x: Uint, y: Uint) =>
    uint64(x.value - y.value),
  ),
  fn('_-_', 'subtract_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x - y),
  fn(
    '_-_',
    'subtract_timestamp_timestamp',
    [timestampType, timestampType],
    durationType,
    (x: Timestamp, y: Timestamp) => checkedDuration(x.nanos - y.nanos),
  ),
  fn(
    '_-_',
    'subtract_timestamp_duration',
    [timestampType, durationType],
    timestampType,
    (x: Timestamp, y: Duration) => addToTimestamp(x, new Duration(-y.nanos)),
  ),
  fn(
    '_-_',
    'subtract_duration_duration',
    [durationType, durationType],
    durationType,
    (x: Duration, y: Duration) => checkedDuration(x.nanos - y.nanos),
  ),
  fn('_*_', 'multiply_int64', [intType, intType], intType, (x: bigint, y: bigint) => int64(x * y)),
  fn('_*_', 'multiply_uint64', [uintType, uintType], uintType, (x: Uint, y: Uint) =>
    uint64(x.value * y.value),
  ),
  fn('_*_', 'multiply_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x * y),
  fn('_/_', 'divide_int64', [intType, intType], intType, (x: bigint, y: bigint) => int64(divide(x, y))),
  fn(
    '_/_',
    'divide_uint64',
    [uintType, uintType],
    uintType,
    (x: Uint, y: Uint) => new Uint(divide(x.value, y.value)),
  ),
  fn('_/_', 'divide_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x / y),
  fn('_%_', 'modulo_int64', [intType, intType], intType, modulo),
  fn(
    '_%_',
    'modulo_uint64',
    [uintType, uintType],
    uintType,
    (x: Uint, y: Uint) => new Uint(modulo(x.value, y.value)),
  ),
  fn('-_', 'negate_int64', [intType], intType, (x: bigint) => int64(-x)),
  fn('-_', 'negate_double', [doubleType], doubleType, (x: number) => -x),
);

function addToTimestamp(x: Timestamp, y: Duration): Timestamp {
  return checkedTimestamp(x.nanos + y.nanos, x.zoneMinutes);
}

/** Sets are united, keyed lists merged; the left list says which it is. */
function addLists(x: CelList, y: CelList): Value {
  const { merge } = x;
  if (merge === undefined) return new PlainList([...x.items, ...y.items]);
  const items = new Map(x.items.map((item) => [mergeKey(item, merge), item]));
  for (const item of y.items) {
    const key = mergeKey(item, merge);
    if (merge.type === 'map' || !items.has(key)) items.set(key, item);
  }
  return new MergedList([...items.values()], merge);
}

class MergedList extends PlainList {
  override readonly merge: CelList['merge'];
  constructor(items: Value[], merge: CelList['merge']) {
    super(items);
    this.merge = merge;
  }
}

type Compare = (x: Value, y: Value) => number;
const byNumber: Compare = (x, y) => compareNumbers(x as CelNumber, y as CelNumber);
const byNanos: Compare = (x, y) => Number((x as Duration).nanos - (y as Duration).nanos);
const byBytes: Compare = (x, y) => Buffer.compare(x as Uint8Array, y as Uint8Array);
const byBool: Compare = (x, y) => Number(x) - Number(y);

/** Texts are ordered by code points. */
export const byCodePoint: Compare = (x, y) => {
  if (x === y) return 0;
  const [left, right] = [x as string, y as string];
  return /[\ud800-\udfff]/.test(left + right)
    ? Buffer.compare(Buffer.from(left), Buffer.from(right))
    : left < right
      ? -1
      : 1;
};

export const orderedTypes: readonly (readonly [CelType, string, Compare])[] = [
  [boolType, 'bool', byBool],
  [intType, 'int64', byNumber],
  [uintType, 'uint64', byNumber],
  [doubleType, 'double', byNumber],
  [stringType, 'string', byCodePoint],
  [bytesType, 'bytes', byBytes],
  [timestampType, 'timestamp', byNanos],
  [durationType, 'duration', byNanos],
];

const relations = [
  ['_<_', 'less', (order: number) => order < 0],
  ['_<=_', 'less_equals', (order: number) => order <= 0],
  ['_>_', 'greater', (order: number) => order > 0],
  ['_>=_', 'greater_equals', (order: number) => order >= 0],
] as const;

const numbers = orderedTypes.slice(1, 4);

const ordering = library(
  ...relations.flatMap(([name, id, holds]) => [
    ...orderedTypes.map(([type, suffix, compare]) =>
      fn(name, `${id}_${suffix}`, [type, type], boolType, (x, y) => holds(compare(x, y))),
    ),
    ...numbers.flatMap(([left, leftName]) =>
      numbers
        .filter(([right]) => right !== left)
        .map(([right, rightName]) =>
          fn(name, `${id}_${leftName}_${rightName}`, [left, right], boolType, (x, y) =>
            holds(byNumber(x, y)),
          ),
        ),
    ),
  ]),
);

// Evaluated by the planner, which may leave operands out; declared for the checker.
const planned = (): never => {
  throw new Error('the planner evaluates this operator');
};
const logic = library(
  fn('_&&_', 'logical_and', [boolType, boolType], boolType, planned),
  fn('_||_', 'logical_or', [boolType, boolType], boolType, planned),
  fn('_?_:_', 'conditional', [boolType, a, a], a, planned),
  fn('@not_strictly_false', 'not_strictly_false', [boolType], boolType, planned),
  fn('!_', 'logical_not', [boolType], boolType, (x: boolean) => !x),
  fn('_==_', 'equals', [a, a], boolType, equal),
  fn('_!=_', 'not_equals', [a, a], boolType, (x: Value, y: Value) => !equal(x, y)),
);

const containers = library(
  fn('@in', 'in_list', [a, listA], boolType, (x: Value, list: CelList) =>
    list.items.some((item) => equal(item, x)),
  ),
  fn('@in', 'in_map', [a, mapAB], boolType, (x: Value, map: CelMap) => map.get(x) !== undefined),
  fn('_[_]', 'index_list', [listA, intType], a, indexList),
  fn('_[_]', 'index_map', [mapAB, a], b, indexMap),
  fn('_[_]', 'optional_list_index_int', [optionalOf(listA), intType], optionalOf(a), optionalIndex),
  fn('_[_]', 'optional_map_index_value', [optionalOf(mapAB), a], optionalOf(b), optionalIndex),
  fn('_[?_]', 'list_optindex_optional_int', [listA, intType], optionalOf(a), optionalIndex),
  fn(
    '_[?_]',
    'optional_list_optindex_optional_int',
    [optionalOf(listA), intType],
    optionalOf(a),
    optionalIndex,
  ),
  fn('_[?_]', 'map_optindex_optional_value', [mapAB, a], optionalOf(b), optionalIndex),
  fn('_[?_]', 'optional_map_optindex_optional_value', [optionalOf(mapAB), a], optionalOf(b), optionalIndex),
  // The planner adds to the map in place.
  fn('cel.@mapInsert', '@mapInsert_map_map', [mapAB, mapAB], mapAB, planned),
  fn('cel.@mapInsert', '@mapInsert_map_key_value', [mapAB, a, b], mapAB, planned),
);

function indexList(list: CelList, index: Value): Value {
  const at = typeof index === 'bigint' ? index : index instanceof Uint ? index.value : Number(index);
  if (typeof at === 'number' && !Number.isInteger(at)) throw new CelError(`unsupported index value: ${at}`);
  const item = list.items[Number(at)];
  if (item === undefined) throw new CelError(`index out of bounds: ${at}`);
  return item;
}

function indexMap(map: CelMap, key: Value): Value {
  const value = map.get(key);
  if (value === undefined) throw new CelError(`no such key: ${showKey(key)}`);
  return value;
}

function optionalIndex(container: Value, key: Value): Value {
  const from = container instanceof CelOptional ? container.value : container;
  if (from === undefined) return noneOptional;
  if (from instanceof CelObject) return wrap(from.get(key as string));
  const found =
    'items' in (from as object) ? (from as CelList).items[Number(key)] : (from as CelMap).get(key);
  return wrap(found);
}

const wrap = (value: Value | undefined) =>
  value === undefined ? noneOptional : value instanceof CelOptional ? value : new CelOptional(value);

const sizes = [
  [stringType, 'string', (x: string) => BigInt(codePoints(x))],
  [bytesType, 'bytes', (x: Uint8Array) => BigInt(x.length)],
  [listOf(a), 'list', (x: CelList) => BigInt(x.size)],
  [mapOf(a, b), 'map', (x: CelMap) => BigInt(x.size)],
] as const;

/** How many characters a text has for CEL. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00) count--;
  }
  return count;
}

const sizing = library(
  ...sizes.flatMap(([type, name, call]) => [
    fn('size', `size_${name}`, [type], intType, call),
    member('size', `${name}_size`, [type], intType, call),
  ]),
  fn('dyn', 'to_dyn', [a], dynType, (x: Value) => x),
);

export const operatorLibraries = [arithmetic, ordering, logic, containers, sizing];
