/** A field of a message. `int64` must be safe integers; `bigint64` and `biguint64` keep all digits. */
export interface Field {
  number: number;
  type: Scalar | Message;
  repeated?: boolean;
  /** A map from strings to `type`; in memory an object without prototype. */
  map?: boolean;
  /** Of a oneof: written even with its default, for it says which field is there. */
  oneof?: boolean;
}

export type Scalar =
  | 'bool'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'bigint64'
  | 'biguint64'
  | 'float'
  | 'double'
  | 'string'
  | 'bytes';

/** Fields by their names. */
export type Message = { readonly [name: string]: Field };
export type Value = Record<string, unknown>;

/** Deeper messages are an attack: the deepest that the protocol has is four. */
export const depthMax = 16;

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const text = new TextDecoder('utf-8', { fatal: true });

/**
 * Decodes a message of Protocol Buffers 3. Unknown fields are passed over, missing ones are left out. Throws RangeError where
 * the bytes are none. Source: https://protobuf.dev/programming-guides/encoding/.
 */
export function decodeMessage(message: Message, bytes: Uint8Array, depth = 0): Value {
  if (depth > depthMax) throw new RangeError(`messages are nested more than ${depthMax} deep`);
  const fields = fieldsOf(message);
  const reader = new Reader(bytes);
  const value: Value = {};
  while (!reader.isDone) {
    const tag = Number(reader.varint());
    const wireType = tag & 7;
    const number = Math.floor(tag / 8);
    if (number < 1) throw new RangeError('a field has the number 0');
    const entry = fields.get(number);
    if (!entry) {
      reader.skip(wireType);
      continue;
    }
    const [name, field] = entry;
    if (field.map) {
      value[name] ??= Object.create(null);
      decodeEntry(reader, field, wireType, value[name] as Value, depth);
    } else if (field.repeated) {
      value[name] ??= [];
      decodeRepeated(reader, field, wireType, value[name] as unknown[], depth);
    } else value[name] = decodeValue(reader, field.type, wireType, depth);
  }
  return value;
}

function decodeRepeated(
  reader: Reader,
  { type }: Field,
  wireType: number,
  into: unknown[],
  depth: number,
): void {
  const isPackable = typeof type === 'string' && type !== 'string' && type !== 'bytes';
  if (!isPackable || wireType !== wire.bytes) {
    into.push(decodeValue(reader, type, wireType, depth));
    return;
  }
  const packed = new Reader(reader.bytes());
  while (!packed.isDone) into.push(decodeValue(packed, type, wireTypeOf(type), depth));
}

/** A map is a repeated message of key and value. */
function decodeEntry(reader: Reader, { type }: Field, wireType: number, into: Value, depth: number): void {
  const entry: Message = { key: { number: 1, type: 'string' }, value: { number: 2, type } };
  expect(wireType === wire.bytes);
  const { key = '', value } = decodeMessage(entry, reader.bytes(), depth + 1);
  into[key as string] = value ?? (typeof type === 'string' ? '' : {});
}

function decodeValue(reader: Reader, type: Field['type'], wireType: number, depth: number): unknown {
  expect(wireType === wireTypeOf(type));
  if (typeof type !== 'string') return decodeMessage(type, reader.bytes(), depth + 1);
  switch (type) {
    case 'bool':
      return reader.varint() !== 0n;
    case 'int32':
      return Number(BigInt.asIntN(32, reader.varint()));
    case 'uint32':
      return Number(BigInt.asUintN(32, reader.varint()));
    case 'int64':
      return reader.safeInteger();
    case 'bigint64':
      return BigInt.asIntN(64, reader.varint());
    case 'biguint64':
      return reader.varint();
    case 'float':
      return reader.float();
    case 'double':
      return reader.double();
    case 'string':
      return decodeText(reader.bytes());
    case 'bytes':
      return reader.bytes();
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return text.decode(bytes);
  } catch {
    throw new RangeError('a string is not UTF-8');
  }
}

function expect(isRight: boolean): void {
  if (!isRight) throw new RangeError('a field has a wire type that is not its own');
}

function wireTypeOf(type: Field['type']): number {
  if (typeof type !== 'string' || type === 'string' || type === 'bytes') return wire.bytes;
  if (type === 'float') return wire.fixed32;
  return type === 'double' ? wire.fixed64 : wire.varint;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isDone(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** As an unsigned 64-bit integer. */
  varint(): bigint {
    // Most are a few bytes, and big integers cost.
    let small = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      small |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(small);
    }
    let value = BigInt(small);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError('an integer is longer than ten bytes');
  }

  safeInteger(): number {
    const value = BigInt.asIntN(64, this.varint());
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new RangeError(`the integer ${value} is too large`);
    return number;
  }

  float(): number {
    this.#need(4);
    this.#at += 4;
    return this.#view.getFloat32(this.#at - 4, true);
  }

  double(): number {
    this.#need(8);
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  /** A view of the next length-delimited field. */
  bytes(): Uint8Array {
    const length = Number(this.varint());
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(wireType: number): void {
    if (wireType === wire.varint) this.varint();
    else if (wireType === wire.bytes) this.bytes();
    else if (wireType === wire.fixed32) this.float();
    else if (wireType === wire.fixed64) this.double();
    else throw new RangeError(`a field has the unknown wire type ${wireType}`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('the message ends inside an integer');
    return byte;
  }

  #need(count: number): void {
    if (this.#at + count > this.#bytes.length)
      throw new RangeError(
        `the message ends early: ${count} bytes wanted, ${this.#bytes.length - this.#at} left`,
      );
  }
}

/** Encodes a message; fields that are missing or have their default are left out. Long byte fields are not copied twice. */
export function encodeMessage(message: Message, value: Value): Buffer {
  const parts: Uint8Array[] = [];
  writeMessage(message, value, parts);
  return Buffer.concat(parts);
}

function writeMessage(message: Message, value: Value, parts: Uint8Array[]): void {
  for (const name in message) {
    const field = message[name]!;
    const given = value[name];
    if (given === undefined) continue;
    if (field.map) writeMap(field, given as Value, parts);
    else if (field.repeated) writeRepeated(field, given as unknown[], parts);
    else if (field.oneof || !isDefault(given)) writeValue(field.number, field.type, given, parts);
  }
}

function writeMap({ number, type }: Field, map: Value, parts: Uint8Array[]): void {
  const entry: Message = { key: { number: 1, type: 'string' }, value: { number: 2, type } };
  for (const [key, value] of Object.entries(map)) writeValue(number, entry, { key, value }, parts);
}

function writeRepeated({ number, type }: Field, items: unknown[], parts: Uint8Array[]): void {
  if (items.length === 0) return;
  const isPackable = typeof type === 'string' && type !== 'string' && type !== 'bytes';
  if (!isPackable) {
    for (const item of items) writeValue(number, type, item, parts);
    return;
  }
  const packed: Uint8Array[] = [];
  for (const item of items) writeScalar(type, item, packed);
  writeBytes(number, Buffer.concat(packed), parts);
}

function writeValue(number: number, type: Field['type'], value: unknown, parts: Uint8Array[]): void {
  if (typeof type !== 'string') writeBytes(number, encodeMessage(type, value as Value), parts);
  else if (type === 'string') writeBytes(number, Buffer.from(value as string), parts);
  else if (type === 'bytes') writeBytes(number, value as Uint8Array, parts);
  else {
    parts.push(varint(BigInt(number * 8 + wireTypeOf(type))));
    writeScalar(type, value, parts);
  }
}

function writeBytes(number: number, bytes: Uint8Array, parts: Uint8Array[]): void {
  parts.push(varint(BigInt(number * 8 + wire.bytes)), varint(BigInt(bytes.length)), bytes);
}

function writeScalar(type: Scalar, value: unknown, parts: Uint8Array[]): void {
  if (type === 'float' || type === 'double') {
    const bytes = Buffer.alloc(type === 'float' ? 4 : 8);
    if (type === 'float') bytes.writeFloatLE(value as number);
    else bytes.writeDoubleLE(value as number);
    parts.push(bytes);
  } else parts.push(varint(BigInt(value as number | bigint | boolean)));
}

function varint(value: bigint): Uint8Array {
  if (value >= 0n && value < 128n) return Uint8Array.of(Number(value));
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function isDefault(value: unknown): boolean {
  return value === '' || value === 0 || value === 0n || value === false;
}

const indexes = new WeakMap<Message, Map<number, [string, Field]>>();

function fieldsOf(message: Message): Map<number, [string, Field]> {
  let index = indexes.get(message);
  if (!index) {
    index = new Map(Object.entries(message).map((entry) => [entry[1].number, entry]));
    indexes.set(message, index);
  }
  return index;
}
