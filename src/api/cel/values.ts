import { CelError } from './source.ts';

/**
 * A value while an expression runs: `bigint` is int, `number` is double, a Uint8Array is bytes.
 * Data from JSON is read when it is asked for; see from-json.ts.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | CelList
  | CelMap
  | CelObject
  | CelOptional
  | TypeValue
  | OpaqueValue;

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** Nanoseconds since 1970; the zone in which it was written is only for its text. */
export class Timestamp {
  readonly nanos: bigint;
  readonly zoneMinutes: number;
  constructor(nanos: bigint, zoneMinutes = 0) {
    this.nanos = nanos;
    this.zoneMinutes = zoneMinutes;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A list; one that comes from data of a set or a keyed list compares and adds up as such. */
export abstract class CelList {
  abstract readonly items: readonly Value[];
  abstract readonly size: number;
  readonly merge: undefined | { type: 'set' } | { type: 'map'; keys: readonly string[] } = undefined;
}

export class PlainList extends CelList {
  readonly items: Value[];
  constructor(items: Value[]) {
    super();
    this.items = items;
  }
  get size(): number {
    return this.items.length;
  }
}

export abstract class CelMap {
  abstract readonly size: number;
  abstract get(key: Value): Value | undefined;
  abstract keys(): Value[];
}

export class PlainMap extends CelMap {
  readonly #entries = new Map<string, [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    super();
    for (const [key, value] of entries) this.add(key, value);
  }

  /** Throws CelError where the key is there already. */
  add(key: Value, value: Value): void {
    const identity = keyIdentity(key);
    if (identity === undefined) throw new CelError(`unsupported key type: ${typeName(key)}`);
    if (this.#entries.has(identity)) throw new CelError(`insert failed: key ${showKey(key)} already exists`);
    this.#entries.set(identity, [key, value]);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    const identity = keyIdentity(key);
    return identity === undefined ? undefined : this.#entries.get(identity)?.[1];
  }

  keys(): Value[] {
    return [...this.#entries.values()].map(([key]) => key);
  }

  copy(): PlainMap {
    return new PlainMap(this.#entries.values());
  }
}

/** An object with declared fields. */
export abstract class CelObject {
  abstract readonly typeName: string;
  /** Undefined where the field is not set. */
  abstract get(field: string): Value | undefined;
  abstract equals(other: Value): boolean;
}

export class CelOptional {
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export const noneOptional = new CelOptional(undefined);

/** What `type(x)` gives. */
export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A value of a library's own type. */
export abstract class OpaqueValue {
  abstract readonly typeName: string;
  abstract equals(other: Value): boolean;
}

/** The name that `type(value)` has. */
export function typeName(value: Value): string {
  if (value === null) return 'null_type';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
  }
  if (value instanceof CelList) return 'list';
  if (value instanceof CelMap) return 'map';
  if (value instanceof CelObject || value instanceof OpaqueValue) return value.typeName;
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof CelOptional) return 'optional_type';
  return 'type';
}

/** Equal keys have the same text: 1, 1u and 1.0 are one key. Undefined for what can't be a key. */
export function keyIdentity(key: Value): string | undefined {
  switch (typeof key) {
    case 'string':
      return `s${key}`;
    case 'bigint':
      return `n${key}`;
    case 'boolean':
      return `b${key}`;
    case 'number':
      return Number.isInteger(key) ? `n${BigInt(key)}` : `d${key}`;
  }
  return key instanceof Uint ? `n${key.value}` : undefined;
}

export function showKey(key: Value): string {
  return key instanceof Uint ? String(key.value) : String(key);
}
