import { closeSync, fstatSync, openSync, readdirSync, renameSync, rmSync, statSync, write } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

const writeTo = promisify(write);
/** What waits to be written; requests wait beyond it, so that none goes unrecorded. */
export const pendingCharactersMax = 8 * 1024 * 1024;
/** What may wait at most, even where the disk takes nothing: what is more is lost, and counted. */
export const lostBeyondCharacters = 4 * pendingCharactersMax;
const megabyte = 1024 * 1024;
const dayMs = 24 * 3600 * 1000;

export interface LogFileOptions {
  /** `-` is standard output. */
  path: string;
  /** A file that is larger is put aside; 100 if 0. */
  maxSizeMegabytes: number;
  /** How many files that were put aside are kept; all if 0. */
  maxBackups: number;
  /** For how many days they are kept; for ever if 0. */
  maxAgeDays: number;
  nowMs: () => number;
  log: Log;
}

/** Lines in a file that is put aside when it is full: `audit.log`, `audit-2026-01-31T12-00-00.000.log`, … */
export class LogFile {
  readonly #options: LogFileOptions;
  #fd: number;
  #bytes: number;
  #pending = '';
  #writing: Promise<void> | undefined;
  /** Lines that could not be kept. */
  lost = 0;

  /** Throws where the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#fd = options.path === '-' ? 1 : openSync(options.path, 'a', 0o600);
    this.#bytes = options.path === '-' ? 0 : fstatSync(this.#fd).size;
  }

  /** Adds a line; what it returns, if anything, resolves when there is room again. */
  add(line: string): Promise<void> | undefined {
    if (this.#pending.length + line.length > lostBeyondCharacters) this.lost += 1;
    else this.#pending += `${line}\n`;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#pending.length > pendingCharactersMax ? this.#writing : undefined;
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await this.#writing;
    if (this.#fd !== 1) closeSync(this.#fd);
  }

  async #write(): Promise<void> {
    // What is added in the same turn is written at once.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending !== '') {
      const text = Buffer.from(this.#pending);
      this.#pending = '';
      try {
        this.#rotateIfFull(text.length);
        for (let at = 0; at < text.length; ) {
          const { bytesWritten } = await writeTo(this.#fd, text, at, text.length - at, null);
          at += bytesWritten;
        }
        this.#bytes += text.length;
      } catch (error) {
        this.lost += 1;
        this.#options.log.error('the audit log cannot be written', { error: messageOf(error) });
      }
    }
  }

  #rotateIfFull(bytes: number): void {
    const { path, maxSizeMegabytes, nowMs } = this.#options;
    const max = (maxSizeMegabytes || 100) * megabyte;
    if (path === '-' || this.#bytes === 0 || this.#bytes + bytes <= max) return;
    closeSync(this.#fd);
    const time = new Date(nowMs()).toISOString().replace(/:/g, '-').replace('Z', '');
    const { stem, extension } = partsOf(path);
    renameSync(path, join(dirname(path), `${stem}-${time}${extension}`));
    this.#fd = openSync(path, 'a', 0o600);
    this.#bytes = 0;
    this.#dropOld();
  }

  #dropOld(): void {
    const { path, maxBackups, maxAgeDays, nowMs } = this.#options;
    const { stem, extension } = partsOf(path);
    const backups = readdirSync(dirname(path))
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(extension))
      .filter((name) => /^\d{4}-\d\d-\d\dT/.test(name.slice(stem.length + 1)))
      .sort()
      .reverse();
    for (const [index, name] of backups.entries()) {
      const file = join(dirname(path), name);
      const isTooMany = maxBackups > 0 && index >= maxBackups;
      const isTooOld = maxAgeDays > 0 && statSync(file).mtimeMs < nowMs() - maxAgeDays * dayMs;
      if (isTooMany || isTooOld) rmSync(file, { force: true });
    }
  }
}

function partsOf(path: string): { stem: string; extension: string } {
  const extension = extname(path);
  return { stem: basename(path, extension), extension };
}
