import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { dictionaryAdler32, headerDictionary } from './dictionary.ts';
import { ProtocolError } from './protocol-error.ts';

export type Headers = ReadonlyMap<string, string>;

/** What one header block may hold once it is inflated. */
export const headerBlockBytesMax = 16 * 1024;
export const headersMax = 64;

const zlibHeaderBytes = 6;
const windowBytes = 32 * 1024;
const syncFlush = { finishFlush: constants.Z_SYNC_FLUSH };

/**
 * Reads the header blocks of one direction, which are one zlib stream, flushed after each block.
 * A flushed block ends at a whole byte, so each is inflated by itself with the output before it as the dictionary:
 * nothing is held in native memory, and the size of the output is bounded.
 */
export class HeaderReader {
  #window: Buffer = headerDictionary;
  #isFirst = true;

  read(block: Buffer): Headers {
    const body = this.#isFirst ? withoutZlibHeader(block) : block;
    this.#isFirst = false;
    const plain = inflate(body, this.#window);
    this.#window = Buffer.concat([this.#window, plain]).subarray(-windowBytes);
    return parse(plain);
  }
}

/** Writes the header blocks of one direction. */
export class HeaderWriter {
  #isFirst = true;

  write(headers: Headers): Buffer {
    // Nothing refers back to an earlier block, which is allowed, and keeps no state.
    const body = deflateRawSync(serialize(headers), syncFlush);
    if (!this.#isFirst) return body;
    this.#isFirst = false;
    const zlibHeader = Buffer.from([0x78, 0xf9, 0, 0, 0, 0]);
    zlibHeader.writeUInt32BE(dictionaryAdler32, 2);
    return Buffer.concat([zlibHeader, body]);
  }
}

function withoutZlibHeader(block: Buffer): Buffer {
  const isDeflate = block.length >= zlibHeaderBytes && (block[0]! & 0x0f) === 8;
  const hasDictionary = isDeflate && (block[1]! & 0x20) !== 0;
  if (!hasDictionary || block.readUInt32BE(2) !== dictionaryAdler32) {
    throw new ProtocolError('the first header block does not begin with the dictionary of SPDY/3');
  }
  return block.subarray(zlibHeaderBytes);
}

function inflate(body: Buffer, dictionary: Buffer): Buffer {
  try {
    return inflateRawSync(body, { ...syncFlush, dictionary, maxOutputLength: headerBlockBytesMax });
  } catch (cause) {
    throw new ProtocolError('a header block cannot be inflated, or is too large', { cause });
  }
}

function parse(block: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new ProtocolError('a header block is cut short');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - at) throw new ProtocolError('a header block is cut short');
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const count = number();
  if (count > headersMax)
    throw new ProtocolError(`a header block has ${count} headers, at most ${headersMax} are allowed`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const name = text().toLowerCase();
    if (name === '' || headers.has(name)) throw new ProtocolError('a header has no name, or comes twice');
    headers.set(name, text());
  }
  return headers;
}

function serialize(headers: Headers): Buffer {
  const parts: Buffer[] = [uint32(headers.size)];
  for (const pair of headers) {
    for (const text of pair) {
      const bytes = Buffer.from(text, 'latin1');
      parts.push(uint32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
