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
  const files = await filesOf(path);
  const start = await startOf(files, query);
  const format = formatter(query);
  let current: OpenLog | undefined;
  try {
    for (const [at, file] of files.entries()) {
      if (at < start.file) continue;
      await current?.close();
      current = await OpenLog.open(file, at === start.file ? start.offset : 0);
      if (current) yield* current.lines(format);
    }
    if (query.follow) yield* followed(reading, current, format);
  } finally {
    await current?.close();
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
        current = await OpenLog.open(path, 0);
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

/** Rotated files, oldest first, then the current one. */
async function filesOf(path: string): Promise<string[]> {
  const files = [path];
  for (let index = 1; index < rotatedFilesMax; index++) {
    const older = `${path}.${index}`;
    if (!(await orMissing(stat(older)))) break;
    files.unshift(older);
  }
  return files;
}

/** Where the last `tailLines` lines begin, found by reading backwards. */
async function startOf(files: string[], { tailLines }: LogQuery): Promise<{ file: number; offset: number }> {
  if (tailLines === undefined) return { file: 0, offset: 0 };
  // Counts line ends; the one that ends the file belongs to the last line.
  let wanted = tailLines + 1;
  for (let file = files.length - 1; file >= 0; file--) {
    const handle = await orMissing(open(files[file]!, 'r'));
    if (!handle) continue;
    try {
      const found = await seekBack(handle, wanted);
      if (found.offset !== undefined) return { file, offset: found.offset };
      wanted -= found.seen;
    } finally {
      await handle.close();
    }
  }
  return { file: 0, offset: 0 };
}

async function seekBack(handle: FileHandle, wanted: number): Promise<{ offset?: number; seen: number }> {
  const buffer = Buffer.alloc(chunkBytes);
  let seen = 0;
  for (let end = (await handle.stat()).size; end > 0; ) {
    const from = Math.max(0, end - chunkBytes);
    const { bytesRead } = await handle.read(buffer, 0, end - from, from);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (buffer[at] === 10 && ++seen === wanted) return { offset: from + at + 1, seen };
    }
    end = from;
  }
  return { seen };
}

/** A log file that is read line by line; a line without end stays for the next time. */
class OpenLog {
  readonly inode: number;
  readonly #handle: FileHandle;
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(handle: FileHandle, inode: number, offset: number) {
    this.#handle = handle;
    this.inode = inode;
    this.#offset = offset;
  }

  static async open(path: string, offset: number): Promise<OpenLog | undefined> {
    const handle = await orMissing(open(path, 'r'));
    if (!handle) return undefined;
    return new OpenLog(handle, (await handle.stat()).ino, offset);
  }

  /** What has been written since the last call, formatted, many lines in one buffer. */
  async *lines(format: Format): AsyncGenerator<Buffer> {
    const buffer = Buffer.alloc(chunkBytes);
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, chunkBytes, this.#offset);
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
