const text = new TextEncoder();

/** Writes the fields of one protocol buffer message; absent values leave no trace. */
export class Protobuf {
  #parts: Uint8Array[] = [];
  #length = 0;

  text(number: number, value: string | undefined): this {
    return value === undefined || value === '' ? this : this.message(number, text.encode(value));
  }

  texts(number: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.message(number, text.encode(value));
    return this;
  }

  flag(number: number, value: unknown): this {
    if (value === true) this.#push(Uint8Array.of(...varint(number << 3), 1));
    return this;
  }

  message(number: number, value: Uint8Array): this {
    this.#push(Uint8Array.of(...varint((number << 3) | 2), ...varint(value.length)));
    this.#push(value);
    return this;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}
