import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, toTime } from '../base/clock.ts';
import { messageOf, StatusError } from '../base/errors.ts';

/**
 * Opens a SQLite file (mode 0600) for this process alone: WAL, every commit durable. SQLite's own file lock is the truth,
 * which ends with its process however that ends; the file `<path>.lock` only tells who holds it. `prepare` makes the
 * tables. A file that another process has open is a `Conflict` that names it.
 */
export function openExclusively(
  path: string,
  options: { clock: Clock; prepare: (database: DatabaseSync) => void },
): DatabaseSync {
  const onDisk = path !== ':memory:';
  if (onDisk) createPrivateFile(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    options.prepare(database);
    if (onDisk) writeOwner(path, options.clock);
  } catch (error) {
    database?.close();
    throw describeOpenFailure(error, path);
  }
  return database;
}

/** Closes the file and takes the owner's note away. */
export function closeExclusive(database: DatabaseSync, path: string): void {
  if (path !== ':memory:') rmSync(`${path}.lock`, { force: true });
  database.close();
}

/**
 * SQLite gives its journal the mode of the database file. A file that exists is not opened here: POSIX drops all of a
 * process's locks on a file when the process closes any handle of it.
 */
function createPrivateFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (existsSync(path)) chmodSync(path, 0o600);
    else closeSync(openSync(path, 'wx', 0o600));
  } catch (cause) {
    throw new StatusError('InternalError', `Cannot create ${path}: ${messageOf(cause)}.`, {
      cause,
    });
  }
}

function writeOwner(path: string, clock: Clock): void {
  writeFileSync(`${path}.lock`, `${process.pid} ${toTime(clock.nowMs())}\n`, { mode: 0o600 });
}

function describeOpenFailure(error: unknown, path: string): Error {
  if (error instanceof StatusError) return error;
  const code = sqliteCode(error);
  if (code === 5 || code === 6) return heldByAnother(path, error);
  const advice =
    code === 11 || code === 26
      ? 'the file is damaged or no database; restore it from a backup or choose another data folder'
      : 'check that the data folder is on a writable disk with room left';
  return new StatusError('InternalError', `Cannot open ${path}: ${messageOf(error)}; ${advice}.`, {
    cause: error,
  });
}

function heldByAnother(path: string, cause: unknown): StatusError {
  const [pid, since] = readOwner(path);
  return new StatusError(
    'Conflict',
    `The data folder ${dirname(resolve(path))} is in use by ${pid ? `process ${pid} (since ${since})` : 'another process'}. ` +
      'Stop that process first, or choose another folder with --data-dir.',
    { cause },
  );
}

function readOwner(path: string): string[] {
  try {
    return readFileSync(`${path}.lock`, 'utf8').trim().split(' ');
  } catch {
    return [];
  }
}

/** SQLite's primary result code (https://sqlite.org/rescode.html); node:sqlite gives the extended one. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}
