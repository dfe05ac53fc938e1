import { closeSync, fdatasync, fdatasyncSync, fstatSync, fsync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';

/** The journal is copied into the database file when it has grown to this. */
export const journalBytesMax = 16 * 1024 * 1024;

const flushData = promisify(fdatasync);
const flushFile = promisify(fsync);

/**
 * Makes commits durable in a thread of the system's, so that a slow disk keeps nobody else waiting: SQLite writes its
 * journal and does not flush it (`synchronous = OFF`), and a write is acknowledged when the journal has been flushed here.
 *
 * What SQLite would do in between is done here too, in its order (https://sqlite.org/wal.html): the journal is durable
 * before it is copied into the database file, and that before the journal begins anew. The journal is truncated, and
 * durably so, before its next frame: a mixture of old and new frames would be taken for valid after a power failure.
 */
export class Flush {
  #database: DatabaseSync;
  #journal: number;
  #file: number;

  /** Everything that the database holds already is durable when this returns. */
  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#journal = openSync(`${path}-wal`, 'r+');
    // Closed only after SQLite has closed its own: POSIX would drop SQLite's lock with ours.
    this.#file = openSync(path, 'r+');
    fdatasyncSync(this.#journal);
    flushFolder(dirname(path));
    database.exec('PRAGMA wal_autocheckpoint = 0');
    database.exec('PRAGMA synchronous = OFF');
  }

  /** Resolves when all that was committed before the call is durable. */
  sync(): Promise<void> {
    return flushData(this.#journal);
  }

  get isJournalFull(): boolean {
    return fstatSync(this.#journal).size >= journalBytesMax;
  }

  /** Copies the journal into the database file. Nothing may be committed until it resolves. */
  async checkpoint(): Promise<void> {
    await flushData(this.#journal);
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    await flushFile(this.#file);
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    await flushData(this.#journal);
  }

  /** Makes the rest durable and leaves SQLite to do its own flushing when it is closed; call `release` after that. */
  finish(): void {
    fdatasyncSync(this.#journal);
    this.#database.exec('PRAGMA synchronous = FULL');
  }

  release(): void {
    closeSync(this.#journal);
    closeSync(this.#file);
  }
}

/** So that the journal itself is found after a power failure. */
function flushFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
