import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Clock, sleep } from '../../base/clock.ts';
import { orMissing } from '../../oci/durable-file.ts';
import { type LogQuery, parseLogLine } from './log-lines.ts';

export interface LogReading {
  /** The current log file; older ones are `<path>.1`, `<path>.2`, … */
  path: string;
  query: LogQuery;
  clock: Clock;
  signal: AbortSignal;
  /** Whether more may still be written: following ends when this turns false and all is read. */
  isAlive: () => boolean;
}

const chunkBytes = 64 * 1024;
const rotatedFilesMax = 100;
const followPollMs = 200;

/** A container's log as `kubectl logs` shows it, across rotated files, oldest first. */
export async function* readLog(reading: LogReading): AsyncGenerator<Buffer> {
  const { query } = reading;
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const line of shownLines(reading)) {
    if (line.length >= left) return yield line.subarray(0, left);
    left -= line.length;
    yield line;
  }
}

async function* shownLines(reading: LogReading): AsyncGenerator<Buffer> {
  const { path, query } = reading;
  const files = await openFiles(path);
  try {
    const format = formatter(query);
    const first = await seekTail(files, query);
    // Only what was there when it was asked for: reading up to the end of a log that grows faster would never end.
    for (const file of files.slice(first)) yield* file.lines(format, file.sizeBytes);
    if (query.follow) yield* followed(reading, files.at(-1), format);
  } finally {
    for (const file of files) await file.close();
  }
}

/** Goes on with what is appended; when the file is rotated away, ends the old one and takes up the new. */
async function* followed(
  { path, clock, signal, isAlive }: LogReading,
  from: OpenLog | undefined,
  format: Format,
): AsyncGenerator<Buffer> {
  let current = from;
  try {
    while (!signal.aborted) {
      // Looked at before reading: what was written before the end is read below.
      const wasAlive = isAlive();
      const newest = await orMissing(stat(path));
      if (current) yield* current.lines(format);
      if (newest && newest.ino !== current?.inode) {
        if (current !== from) await current?.close();
        current = await OpenLog.open(path);
        continue;
      }
      if (!wasAlive) return;
      await sleep(clock, followPollMs, signal);
    }
  } finally {
    if (current !== from) await current?.close();
  }
}

type Format = (line: Buffer) => Buffer | undefined;

function formatter({ timestamps, sinceMs, stream }: LogQuery): Format {
  return (line) => {
    const entry = parseLogLine(line);
    if (!entry || (stream && entry.stream !== stream)) return undefined;
    if (sinceMs !== undefined && Date.parse(entry.time) < sinceMs) return undefined;
    const parts = [entry.text, ...(entry.isPartial ? [] : [Buffer.from('\n')])];
    return Buffer.concat(timestamps ? [Buffer.from(`${entry.time} `), ...parts] : parts);
  };
}

/**
 * Rotated files, oldest first, then the current one. Opened from the newest on: a rotation meanwhile gives a file
 * again under its next name, and never hides one.
 */
async function openFiles(path: string): Promise<OpenLog[]> {
  const files: OpenLog[] = [];
  for (let index = 0; index < rotatedFilesMax; index++) {
    const file = await OpenLog.open(index === 0 ? path : `${path}.${index}`);
    if (!file && index > 0) break;
    if (file && file.inode === files[0]?.inode) await file.close();
    else if (file) files.unshift(file);
  }
  return files;
}

/** Sets the file where the last `tailLines` lines begin to that place, found by reading backwards; returns its index. */
async function seekTail(files: OpenLog[], { tailLines }: LogQuery): Promise<number> {
  if (tailLines === undefined) return 0;
  // Counts line ends; the one that ends the file belongs to the last line.
  let wanted = tailLines + 1;
  for (let index = files.length - 1; index >= 0; index--) {
    const seen = await files[index]!.seekBack(wanted);
    if (seen === wanted) return index;
    wanted -= seen;
  }
  return 0;
}

/** A log file that is read line by line; a line without end stays for the next time. */
class OpenLog {
  readonly inode: number;
  /** When it was opened. */
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  #offset = 0;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(handle: FileHandle, { ino, size }: { ino: number; size: number }) {
    this.#handle = handle;
    this.inode = ino;
    this.sizeBytes = size;
  }

  static async open(path: string): Promise<OpenLog | undefined> {
    const handle = await orMissing(open(path, 'r'));
    return handle && new OpenLog(handle, await handle.stat());
  }

  /** Reading begins after the `wanted`th line end from the end; returns how many there are, at most `wanted`. */
  async seekBack(wanted: number): Promise<number> {
    const buffer = Buffer.alloc(chunkBytes);
    let seen = 0;
    for (let end = this.sizeBytes; end > 0; ) {
      const from = Math.max(0, end - chunkBytes);
      const { bytesRead } = await this.#handle.read(buffer, 0, end - from, from);
      for (let at = bytesRead - 1; at >= 0; at--) {
        if (buffer[at] !== 10 || ++seen < wanted) continue;
        this.#offset = from + at + 1;
        return seen;
      }
      end = from;
    }
    return seen;
  }

  /** What has been written since the last call, up to `endBytes`, formatted, many lines in one buffer. */
  async *lines(format: Format, endBytes = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    const buffer = Buffer.alloc(chunkBytes);
    while (this.#offset < endBytes) {
      const wanted = Math.min(chunkBytes, endBytes - this.#offset);
      const { bytesRead } = await this.#handle.read(buffer, 0, wanted, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const text = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      const shown: Buffer[] = [];
      let start = 0;
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, start)) {
        const line = format(text.subarray(start, end));
        if (line) shown.push(line);
        start = end + 1;
      }
      this.#rest = Buffer.from(text.subarray(start));
      if (shown.length > 0) yield Buffer.concat(shown);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}
