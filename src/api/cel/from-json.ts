import { isDeepStrictEqual } from 'node:util';
import { equal } from './equal.ts';
import { parseDuration, parseTimestamp } from './functions/time.ts';
import { CelError } from './source.ts';
import { type CelType, dynType } from './types.ts';
import {
  CelList,
  CelMap,
  CelObject,
  CelOptional,
  Duration,
  OpaqueValue,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

/** JSON data as CEL sees it: members are read when they are asked for. What is a CEL value already stays one. */
export function fromJson(data: unknown, type: CelType = dynType): Value {
  if (data === null || data === undefined) return null;
  if (typeof data === 'object') {
    if (Array.isArray(data)) return new JsonList(data, type.kind === 'list' ? type : undefined);
    if (isValue(data)) return data;
    if (type.kind === 'object') return new JsonObject(data as Record<string, unknown>, type);
    return new JsonMap(data as Record<string, unknown>, type.kind === 'map' ? type.value : dynType);
  }
  if (typeof data === 'number') {
    return type.kind !== 'double' && Number.isInteger(data) ? BigInt(data) : data;
  }
  return typeof data === 'string' ? fromText(data, type) : (data as boolean | bigint);
}

const isValue = (data: object): data is Exclude<Value, null | boolean | bigint | number | string> =>
  [
    CelList,
    CelMap,
    CelObject,
    CelOptional,
    OpaqueValue,
    Uint,
    Uint8Array,
    Timestamp,
    Duration,
    TypeValue,
  ].some((kind) => data instanceof (kind as abstract new () => object));

function fromText(text: string, type: CelType): Value {
  switch (type.kind) {
    case 'bytes':
      return Buffer.from(text, 'base64');
    case 'timestamp':
      return parseTimestamp('format' in type && type.format === 'date' ? `${text}T00:00:00Z` : text);
    case 'duration':
      return parseDuration(text);
    default:
      return text;
  }
}

class JsonList extends CelList {
  readonly #data: readonly unknown[];
  readonly #item: CelType;
  #items: readonly Value[] | undefined;
  override readonly merge: CelList['merge'];

  constructor(data: readonly unknown[], type: Extract<CelType, { kind: 'list' }> | undefined) {
    super();
    this.#data = data;
    this.#item = type?.item ?? dynType;
    this.merge = type?.merge;
  }

  get size(): number {
    return this.#data.length;
  }

  get items(): readonly Value[] {
    this.#items ??= this.#data.map((item) => fromJson(item, this.#item));
    return this.#items;
  }
}

class JsonMap extends CelMap {
  readonly #data: Record<string, unknown>;
  readonly #value: CelType;

  constructor(data: Record<string, unknown>, value: CelType) {
    super();
    this.#data = data;
    this.#value = value;
  }

  get size(): number {
    return Object.keys(this.#data).length;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.#data, key)) return undefined;
    return fromJson(this.#data[key], this.#value);
  }

  keys(): Value[] {
    return Object.keys(this.#data);
  }
}

class JsonObject extends CelObject {
  readonly #data: Record<string, unknown>;
  readonly #type: Extract<CelType, { kind: 'object' }>;
  readonly typeName: string;

  constructor(data: Record<string, unknown>, type: Extract<CelType, { kind: 'object' }>) {
    super();
    this.#data = data;
    this.#type = type;
    this.typeName = type.name;
  }

  /** A property that is null counts as absent. */
  get(name: string): Value | undefined {
    const field = this.#type.fields.get(name);
    if (!field || !Object.hasOwn(this.#data, field.property)) return undefined;
    const data = this.#data[field.property];
    return data === null || data === undefined ? undefined : fromJson(data, field.type);
  }

  /** Fields by their types, what has none as JSON. */
  equals(other: Value): boolean {
    if (!(other instanceof JsonObject)) return false;
    const names = new Set([...Object.keys(this.#data), ...Object.keys(other.#data)]);
    const known = new Map([...this.#type.fields].map(([name, field]) => [field.property, name]));
    return [...names].every((property) => {
      const name = known.get(property);
      if (name === undefined) return isDeepStrictEqual(this.#data[property], other.#data[property]);
      const [left, right] = [this.get(name), other.get(name)];
      return left === undefined || right === undefined ? left === right : equal(left, right);
    });
  }
}

/** What an expression gave, as plain data; throws CelError for what JSON cannot hold. */
export function toJson(value: Value): unknown {
  if (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    typeof value === 'number'
  ) {
    return value;
  }
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof CelList) return value.items.map(toJson);
  if (value instanceof CelMap) {
    return Object.fromEntries(value.keys().map((key) => [String(key), toJson(value.get(key)!)]));
  }
  throw new CelError('the value has no form in JSON');
}
