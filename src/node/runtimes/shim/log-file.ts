import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

/** A longer line is written in parts, marked `P`, as the CRI log format has it. */
export const lineBytesMax = 16 * 1024;

export interface LogFileOptions {
  path: string;
  bytesMax: number;
  filesMax: number;
  nowMs?: () => number;
}

/**
 * A container's output in the CRI log format: `<RFC 3339 with nanoseconds> stdout|stderr F|P <text>`. Rotates by size.
 * When the disk is full, lines are dropped and counted; the count is written once there is room.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  #fd: number | undefined;
  #bytes = 0;
  #dropped = 0;
  #rest = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Lines dropped since the last one that could be written. */
  get dropped(): number {
    return this.#dropped;
  }

  write(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    const time = this.#time();
    const rest = this.#rest[stream];
    let text = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const entries: Buffer[] = [];
    for (;;) {
      const end = text.indexOf(10);
      if (end >= 0 && end <= lineBytesMax) {
        entries.push(entry(time, stream, 'F', text.subarray(0, end)));
        text = text.subarray(end + 1);
      } else if (text.length > lineBytesMax) {
        entries.push(entry(time, stream, 'P', text.subarray(0, lineBytesMax)));
        text = text.subarray(lineBytesMax);
      } else break;
    }
    // A copy, so that a short rest doesn't keep the whole chunk alive.
    this.#rest[stream] = Buffer.from(text);
    this.#append(entries);
  }

  /** Writes what is left without a line end. */
  close(): void {
    const time = this.#time();
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#rest[stream];
      if (rest.length > 0) this.#append([entry(time, stream, 'F', rest)]);
      this.#rest[stream] = Buffer.alloc(0);
    }
    this.#closeFile();
  }

  #append(entries: Buffer[]): void {
    if (entries.length === 0) return;
    try {
      if (this.#dropped > 0) entries = [this.#noteOfDropped(), ...entries];
      // Rotation looks at each write, not each line: a file exceeds its size by one chunk at most.
      const bytes = Buffer.concat(entries);
      this.#rotateFor(bytes.length);
      this.#writeAll(bytes);
      this.#dropped = 0;
    } catch {
      this.#dropped += entries.length;
      this.#closeFile();
    }
  }

  #writeAll(bytes: Buffer): void {
    this.#fd ??= this.#open();
    for (let written = 0; written < bytes.length; ) {
      const count = writeSync(this.#fd, bytes, written);
      written += count;
      this.#bytes += count;
    }
  }

  #noteOfDropped(): Buffer {
    return entry(
      this.#time(),
      'stderr',
      'F',
      Buffer.from(`[${this.#dropped} lines lost: log could not be written]`),
    );
  }

  #open(): number {
    mkdirSync(path.dirname(this.#options.path), { recursive: true });
    const fd = openSync(this.#options.path, 'a', 0o640);
    this.#bytes = fstatSync(fd).size;
    return fd;
  }

  /** `log` -> `log.1` -> `log.2` …, of which `filesMax` are kept, the current one included. */
  #rotateFor(bytes: number): void {
    this.#fd ??= this.#open();
    if (this.#bytes === 0 || this.#bytes + bytes <= this.#options.bytesMax) return;
    this.#closeFile();
    const { path: current, filesMax } = this.#options;
    rmSync(`${current}.${filesMax - 1}`, { force: true });
    for (let index = filesMax - 2; index >= 1; index--)
      renameIfThere(`${current}.${index}`, `${current}.${index + 1}`);
    if (filesMax > 1) renameIfThere(current, `${current}.1`);
    else rmSync(current, { force: true });
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#bytes = 0;
  }

  #time(): string {
    return `${new Date((this.#options.nowMs ?? Date.now)()).toISOString().slice(0, 23)}000000Z`;
  }
}

function entry(time: string, stream: string, tag: 'F' | 'P', text: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${time} ${stream} ${tag} `), text, Buffer.from('\n')]);
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
