import {
  CelList,
  CelMap,
  CelObject,
  CelOptional,
  Duration,
  keyIdentity,
  OpaqueValue,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

/** `a == b`: numbers compare across their types, values of other types are never equal. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isNumber(a)) return isNumber(b) && compareNumbers(a, b) === 0;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (a instanceof CelList) return b instanceof CelList && listsEqual(a, b);
  if (a instanceof CelMap) return b instanceof CelMap && mapsEqual(a, b);
  if (a instanceof CelObject || a instanceof OpaqueValue) return a.equals(b);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof CelOptional) return b instanceof CelOptional && optionalsEqual(a, b);
  return false;
}

export type CelNumber = bigint | number | Uint;

export const isNumber = (value: Value): value is CelNumber =>
  typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint;

/** Negative, 0 or positive; NaN where one is NaN. An integer meets a double as a double. */
export function compareNumbers(a: CelNumber, b: CelNumber): number {
  let left = a instanceof Uint ? a.value : a;
  let right = b instanceof Uint ? b.value : b;
  if (typeof left !== typeof right) [left, right] = [Number(left), Number(right)];
  return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN;
}

function optionalsEqual(a: CelOptional, b: CelOptional): boolean {
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return equal(a.value, b.value);
}

function listsEqual(a: CelList, b: CelList): boolean {
  if (a.size !== b.size) return false;
  const merge = a.merge ?? b.merge;
  if (merge === undefined) return a.items.every((item, index) => equal(item, b.items[index]!));
  const [merged, other] = a.merge ? [a, b] : [b, a];
  const known = new Map(merged.items.map((item) => [mergeKey(item, merge), item]));
  return other.items.every((item) => {
    const match = known.get(mergeKey(item, merge));
    return match !== undefined && equal(match, item);
  });
}

/** What tells the items of a set or keyed list apart. */
export function mergeKey(item: Value, merge: NonNullable<CelList['merge']>): string {
  if (merge.type === 'set') return keyIdentity(item) ?? 'null';
  const parts = merge.keys.map((key) => {
    const value = item instanceof CelObject || item instanceof CelMap ? item.get(key) : undefined;
    return value === undefined ? null : (keyIdentity(value) ?? null);
  });
  return JSON.stringify(parts);
}

function mapsEqual(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false;
  return a.keys().every((key) => {
    const other = b.get(key);
    return other !== undefined && equal(a.get(key)!, other);
  });
}
