import { badRequest } from '../failures.ts';

/** One field of a message: a number for wire types 0, 1 and 5, bytes for 2. */
export interface WireField {
  number: number;
  value: bigint | Buffer;
  wireType: number;
}

/** Reads a protobuf message's fields in order. Source: https://protobuf.dev/programming-guides/encoding/ */
export function* readFields(bytes: Buffer): Generator<WireField> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw truncated();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw badRequest('the protobuf body has a number that is too long');
  };
  const take = (length: number): Buffer => {
    if (length > bytes.length - at) throw truncated();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = Number(tag & 7n);
    const number = Number(tag >> 3n);
    if (wireType === 0) yield { number, wireType, value: varint() };
    else if (wireType === 1) yield { number, wireType, value: take(8) };
    else if (wireType === 2) yield { number, wireType, value: take(Number(varint())) };
    else if (wireType === 5) yield { number, wireType, value: take(4) };
    else
      throw badRequest(`the protobuf body has a field of wire type ${wireType}, which is not used any more`);
  }
}

function truncated() {
  return badRequest('the protobuf body ends in the middle of a field');
}

/** A varint as a signed 64-bit number; Kubernetes has none beyond 2^53. */
export function toInteger(value: bigint | Buffer): number {
  return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
}

export function toText(value: bigint | Buffer): string {
  return typeof value === 'bigint' ? '' : value.toString('utf8');
}

export function toBytes(value: bigint | Buffer): Buffer {
  return typeof value === 'bigint' ? Buffer.alloc(0) : value;
}
