import { equal } from '../equal.ts';
import { CelError } from '../source.ts';
import {
  boolType,
  type CelType,
  doubleType,
  durationType,
  intType,
  listOf,
  parameter,
  uintType,
} from '../types.ts';
import { type CelList, Duration, Uint, type Value } from '../values.ts';
import { int64, orderedTypes, uint64 } from './operators.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';
import { checkedDuration } from './time-range.ts';

const t = parameter('T');

const sums: [CelType, string, Value, (x: Value, y: Value) => Value][] = [
  [intType, 'int', 0n, (x, y) => int64((x as bigint) + (y as bigint))],
  [uintType, 'uint', new Uint(0n), (x, y) => uint64((x as Uint).value + (y as Uint).value)],
  [doubleType, 'double', 0, (x, y) => (x as number) + (y as number)],
  [
    durationType,
    'duration',
    new Duration(0n),
    (x, y) => checkedDuration((x as Duration).nanos + (y as Duration).nanos),
  ],
];

/** Kubernetes' list library. */
export const listLibrary = library(
  ...orderedTypes.flatMap(([type, name, compare]) => [
    member('isSorted', `list_${name}_is_sorted_bool`, [listOf(type)], boolType, ({ items }: CelList) =>
      items.every((item, index) => index === 0 || compare(items[index - 1]!, item) <= 0),
    ),
    member('min', `list_${name}_min_self`, [listOf(type)], type, (list: CelList) =>
      pick(list, 'min', (x, y) => compare(x, y) < 0),
    ),
    member('max', `list_${name}_max_self`, [listOf(type)], type, (list: CelList) =>
      pick(list, 'max', (x, y) => compare(x, y) > 0),
    ),
  ]),
  ...sums.map(([type, name, zero, add]) =>
    member('sum', `list_${name}_sum_${name}`, [listOf(type)], type, ({ items }: CelList) =>
      items.reduce(add, zero),
    ),
  ),
  member('indexOf', 'list_a_index_of_int', [listOf(t), t], intType, ({ items }: CelList, value: Value) =>
    BigInt(items.findIndex((item) => equal(item, value))),
  ),
  member(
    'lastIndexOf',
    'list_a_last_index_of_int',
    [listOf(t), t],
    intType,
    ({ items }: CelList, value: Value) => BigInt(items.findLastIndex((item) => equal(item, value))),
  ),
);

function pick({ items }: CelList, name: string, isBetter: (x: Value, y: Value) => boolean): Value {
  if (items.length === 0) throw new CelError(`${name} called on empty list`);
  return items.reduce((best, item) => (isBetter(item, best) ? item : best));
}

const has = ({ items }: CelList, value: Value) => items.some((item) => equal(item, value));
const contains = (list: CelList, part: CelList) => part.items.every((item) => has(list, item));
const two = [listOf(t), listOf(t)];

/** cel-go's extension for lists taken as sets. */
export const setLibrary = library(
  fn('sets.contains', 'list_sets_contains_list', two, boolType, contains),
  fn(
    'sets.equivalent',
    'list_sets_equivalent_list',
    two,
    boolType,
    (x: CelList, y: CelList) => contains(x, y) && contains(y, x),
  ),
  fn('sets.intersects', 'list_sets_intersects_list', two, boolType, (x: CelList, y: CelList) =>
    y.items.some((item) => has(x, item)),
  ),
);
