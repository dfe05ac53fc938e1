import { ProtocolError } from './protocol-error.ts';

/** A frame of SPDY/3.1; header blocks are still compressed. Source: SPDY Protocol, Draft 3.1, 2.6. */
export type Frame =
  | { type: 'synStream' | 'synReply' | 'headers'; streamId: number; isFinal: boolean; block: Buffer }
  | { type: 'rstStream'; streamId: number; status: number }
  | { type: 'settings' }
  | { type: 'ping'; id: number }
  | { type: 'goAway'; lastStreamId: number; status: number }
  | { type: 'windowUpdate'; streamId: number; delta: number }
  | { type: 'data'; streamId: number; isFinal: boolean; data: Buffer };

export const controlBytesMax = 16 * 1024;
/** Kubernetes' clients send 32 KiB. */
export const dataBytesMax = 1024 * 1024;

export const resetStatus = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;
export const goAwayStatus = { ok: 0, protocolError: 1 } as const;

const headBytes = 8;
const version = 3;
const finalFlag = 1;
const control = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Cuts a byte stream into frames; holds at most one unfinished one. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** How many bytes must be there before looking again is worth it. */
  #needed = headBytes;

  /** Takes what was received; returns the frames that are now whole. Throws ProtocolError for malformed ones. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#needed) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const frames: Frame[] = [];
    let at = 0;
    this.#needed = headBytes;
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + lengthOf(bytes, at);
      if (end > bytes.length) {
        this.#needed = end - at;
        break;
      }
      frames.push(parse(bytes.subarray(at, end)));
      at = end;
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#bytes = bytes.length - at;
    return frames;
  }
}

export function encodeFrame(frame: Frame): Buffer {
  switch (frame.type) {
    case 'data':
      return withHead(frame.streamId, frame.isFinal ? finalFlag : 0, frame.data);
    case 'synStream':
      // Associated stream, priority and slot are zero.
      return controlFrame(
        frame.type,
        frame.isFinal,
        numbers(frame.streamId, 0),
        Buffer.alloc(2),
        frame.block,
      );
    case 'synReply':
    case 'headers':
      return controlFrame(frame.type, frame.isFinal, numbers(frame.streamId), frame.block);
    case 'rstStream':
      return controlFrame(frame.type, false, numbers(frame.streamId, frame.status));
    case 'settings':
      return controlFrame(frame.type, false, numbers(0));
    case 'ping':
      return controlFrame(frame.type, false, numbers(frame.id));
    case 'goAway':
      return controlFrame(frame.type, false, numbers(frame.lastStreamId, frame.status));
    case 'windowUpdate':
      return controlFrame(frame.type, false, numbers(frame.streamId, frame.delta));
  }
}

function lengthOf(bytes: Buffer, at: number): number {
  const length = bytes.readUIntBE(at + 5, 3);
  const max = (bytes[at]! & 0x80) !== 0 ? controlBytesMax : dataBytesMax;
  if (length > max) throw new ProtocolError(`a frame has ${length} bytes, at most ${max} are allowed`);
  return length;
}

function parse(frame: Buffer): Frame {
  const isFinal = (frame[4]! & finalFlag) !== 0;
  const body = frame.subarray(headBytes);
  if ((frame[0]! & 0x80) === 0) {
    return { type: 'data', streamId: streamIdAt(frame, 0), isFinal, data: body };
  }
  const spoken = frame.readUInt16BE(0) & 0x7fff;
  if (spoken !== version) throw new ProtocolError(`SPDY version ${spoken} is not spoken here, ${version} is`);
  const type = frame.readUInt16BE(2);
  switch (type) {
    case control.synStream:
      needs(body, 10);
      return { type: 'synStream', streamId: streamIdAt(body, 0), isFinal, block: body.subarray(10) };
    case control.synReply:
    case control.headers:
      needs(body, 4);
      return {
        type: type === control.headers ? 'headers' : 'synReply',
        streamId: streamIdAt(body, 0),
        isFinal,
        block: body.subarray(4),
      };
    case control.rstStream:
      needs(body, 8, 'exactly');
      return { type: 'rstStream', streamId: streamIdAt(body, 0), status: body.readUInt32BE(4) };
    case control.settings:
      needs(body, 4);
      return { type: 'settings' };
    case control.ping:
      needs(body, 4, 'exactly');
      return { type: 'ping', id: body.readUInt32BE(0) };
    case control.goAway:
      needs(body, 8, 'exactly');
      return {
        type: 'goAway',
        lastStreamId: body.readUInt32BE(0) & 0x7fffffff,
        status: body.readUInt32BE(4),
      };
    case control.windowUpdate:
      needs(body, 8, 'exactly');
      // Stream 0 is the session's own window in SPDY/3.1.
      return {
        type: 'windowUpdate',
        streamId: body.readUInt32BE(0) & 0x7fffffff,
        delta: body.readUInt32BE(4) & 0x7fffffff,
      };
    default:
      throw new ProtocolError(`there is no frame type ${type} in SPDY/3.1`);
  }
}

function streamIdAt(bytes: Buffer, at: number): number {
  const id = bytes.readUInt32BE(at) & 0x7fffffff;
  if (id === 0) throw new ProtocolError('a frame belongs to stream 0, which does not exist');
  return id;
}

function needs(body: Buffer, length: number, how: 'at least' | 'exactly' = 'at least'): void {
  if (how === 'exactly' ? body.length !== length : body.length < length) {
    throw new ProtocolError(`a control frame has ${body.length} bytes, ${how} ${length} are needed`);
  }
}

function controlFrame(type: keyof typeof control, isFinal: boolean, ...parts: Buffer[]): Buffer {
  const word = (0x80000000 | (version << 16) | control[type]) >>> 0;
  return withHead(word, isFinal ? finalFlag : 0, ...parts);
}

function withHead(word: number, flags: number, ...parts: Buffer[]): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(word, 0);
  head[4] = flags;
  head.writeUIntBE(
    parts.reduce((sum, { length }) => sum + length, 0),
    5,
    3,
  );
  return Buffer.concat([head, ...parts]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}
