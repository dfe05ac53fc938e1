import type { Socket } from 'node:net';

/** What a frame on the shim's process socket carries. */
export const frame = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /** JSON, the last frame: how the process ended. */
  end: 3,
  /** JSON: the client's terminal has another size. */
  resize: 4,
  stdinEnd: 5,
  /** JSON, the first frame: what is wanted. */
  request: 6,
  /** Decimal text: so many more bytes of stdin may be sent. */
  stdinTaken: 7,
} as const;

export type FrameKind = (typeof frame)[keyof typeof frame];

/** The longest frame: a command line with its arguments fits. */
export const frameBytesMax: number = 1024 * 1024;
/** How much of stdin may be on its way before the process has taken it in. */
export const stdinWindowBytes: number = 256 * 1024;

const headBytes = 5;

/** A frame is its kind (one byte), the length of its content (four, big endian) and the content. False: wait for `drain`. */
export function writeFrame(socket: Socket, kind: FrameKind, content: Uint8Array | string): boolean {
  if (socket.destroyed) return true;
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  let isTaken = true;
  for (let at = 0; at === 0 || at < bytes.length; at += frameBytesMax) {
    const part = bytes.subarray(at, at + frameBytesMax);
    const head = Buffer.alloc(headBytes);
    head[0] = kind;
    head.writeUInt32BE(part.length, 1);
    isTaken = socket.write(Buffer.concat([head, part]));
  }
  return isTaken;
}

/** Calls back with each frame; one that is too long ends the connection. */
export function readFrames(socket: Socket, onFrame: (kind: number, content: Buffer) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    while (bytes.length >= headBytes) {
      const length = bytes.readUInt32BE(1);
      if (length > frameBytesMax) {
        socket.destroy(
          new Error(`received a frame of ${length} bytes; at most ${frameBytesMax} are allowed`),
        );
        return;
      }
      if (bytes.length < headBytes + length) return;
      const kind = bytes[0]!;
      const content = bytes.subarray(headBytes, headBytes + length);
      bytes = bytes.subarray(headBytes + length);
      onFrame(kind, content);
    }
  });
}

/** What the agent asks for on a fresh connection. */
export type ProcessRequest =
  | { kind: 'exec'; id: string; command: string[]; stdin: boolean; tty: boolean }
  /** What the container's own program prints from now on, and its standard input. */
  | { kind: 'attach'; id: string; stdin: boolean };

/** How a process ended; without an exit code it could not be run, or its connection was lost. */
export interface ProcessEnd {
  exitCode?: number;
  message?: string;
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

/** Reads a terminal's size in either of its spellings; anything else is nothing. */
export function decodeSize(text: string): TerminalSize | undefined {
  try {
    const { columns, rows, Width = columns, Height = rows } = JSON.parse(text) as Record<string, unknown>;
    const isSize = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) > 0 && (value as number) < 65536;
    return isSize(Width) && isSize(Height) ? { columns: Width, rows: Height } : undefined;
  } catch {
    return undefined;
  }
}
