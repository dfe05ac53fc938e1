/** The wire types of Protocol Buffers that ONNX uses: https://protobuf.dev/programming-guides/encoding/ */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Appends Protocol Buffers fields to a growing buffer. */
export class ProtobufWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  /** Writes a signed 64-bit integer; a negative number takes ten bytes, as the encoding says. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`cannot encode ${value} as an integer`);
    if (value < 0) {
      this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    while (value >= 0x80) {
      this.#push((value % 0x80) + 0x80);
      value = Math.floor(value / 0x80);
    }
    this.#push(value);
  }

  float(value: number): void {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #bigVarint(value: bigint): void {
    for (; value >= 0x80n; value >>= 7n) this.#push(Number(value & 0x7fn) + 0x80);
    this.#push(Number(value));
  }

  #push(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads Protocol Buffers fields; throws a RangeError where the bytes end early. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.position >= this.#bytes.length;
  }

  /** Reads a signed 64-bit integer. */
  varint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.position++];
      if (byte === undefined) throw new RangeError('the message ends inside an integer');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new RangeError('an integer is longer than ten bytes');
  }

  float(): number {
    this.#need(4);
    this.position += 4;
    return this.#view.getFloat32(this.position - 4, true);
  }

  /** A view (not a copy) of the next length-delimited field. */
  bytes(): Uint8Array {
    const length = this.varint();
    this.#need(length);
    this.position += length;
    return this.#bytes.subarray(this.position - length, this.position);
  }

  skip(wireType: number): void {
    if (wireType === wire.varint) this.varint();
    else if (wireType === wire.bytes) this.bytes();
    else if (wireType === wire.fixed32 || wireType === wire.fixed64) {
      const size = wireType === wire.fixed32 ? 4 : 8;
      this.#need(size);
      this.position += size;
    } else throw new RangeError(`the message has a field of unknown wire type ${wireType}`);
  }

  slice(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.position);
  }

  #need(count: number): void {
    if (count < 0 || this.position + count > this.#bytes.length) {
      throw new RangeError(`the message ends early: ${count} bytes wanted at ${this.position}`);
    }
  }
}
