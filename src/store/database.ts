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
import { wrongKey } from './value-codec.ts';

const schemaVersion = 1;
/** "Slvg" in SQLite's header, so that a foreign database is not taken for ours. */
const applicationId = 0x536c7667;
const walBytesMax = 16 * 1024 * 1024;

/*
 * A value is written once. `objects` says which revision of a key is current; `changes` holds the values. A superseded
 * value stays until the change that superseded it is compacted, so it is there as that change's `previous`.
 */
const schema = `
  CREATE TABLE objects (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    previous_revision INTEGER,
    value ANY
  ) STRICT;
  CREATE TABLE state (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

interface OpenOptions {
  sizeMaxBytes: number;
  /** Of the key that values are encrypted with, if any are. */
  keyId: string | undefined;
  clock: Clock;
}

/**
 * Opens the store's file for this process alone. SQLite's own file lock is the truth, which ends with its process
 * however that ends; the file `<path>.lock` only tells who holds it.
 */
export function openDatabase(path: string, options: OpenOptions): DatabaseSync {
  const onDisk = path !== ':memory:';
  if (onDisk) createPrivateFile(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${walBytesMax}`);
    database.exec('BEGIN IMMEDIATE');
    migrate(database, path);
    checkKey(database, options.keyId);
    database.exec('COMMIT');
    limitSize(database, options.sizeMaxBytes);
  } catch (error) {
    database?.close();
    throw describeOpenFailure(error, path);
  }
  if (onDisk) writeOwner(path, options.clock);
  return database;
}

/** Closes the file and takes the owner's note away. */
export function closeDatabase(database: DatabaseSync, path: string): void {
  if (path !== ':memory:') rmSync(`${path}.lock`, { force: true });
  database.close();
}

/** What a failed write means to its caller: InternalError, with the reason that the disk gave. */
export function describeWriteFailure(error: unknown, path: string): StatusError {
  if (error instanceof StatusError) return error;
  const advice =
    sqliteCode(error) === 13
      ? 'the disk or the store is full: make room, then try again'
      : 'check the disk and the permissions of the data folder';
  return new StatusError(
    'InternalError',
    `Cannot write to the store ${path}: ${messageOf(error)}; ${advice}.`,
    {
      cause: error,
    },
  );
}

function migrate(database: DatabaseSync, path: string): void {
  const found = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  const id = Number(database.prepare('PRAGMA application_id').get()?.application_id);
  const tables = Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
  if (tables === 0) return void database.exec(schema);
  if (id !== applicationId) {
    throw new StatusError('Invalid', `${path} is a database of another program; choose another data folder.`);
  }
  if (found > schemaVersion) {
    throw new StatusError(
      'Invalid',
      `${path} was written by a newer Selvage (schema ${found}, this one knows up to ${schemaVersion}). ` +
        'Run that version or a later one; nothing was changed.',
    );
  }
}

/** The first key that is used is remembered, so that a wrong one is noticed before anything is read. */
function checkKey(database: DatabaseSync, keyId: string | undefined): void {
  const saved = database.prepare("SELECT value FROM state WHERE name = 'keyId'").get()?.value;
  if (saved === undefined && keyId !== undefined) {
    database.prepare("INSERT INTO state (name, value) VALUES ('keyId', ?)").run(keyId);
  } else if (saved !== keyId) throw wrongKey(String(saved), keyId);
}

function limitSize(database: DatabaseSync, sizeMaxBytes: number): void {
  const pageSize = Number(database.prepare('PRAGMA page_size').get()?.page_size);
  database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(sizeMaxBytes / pageSize))}`);
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
    throw new StatusError('InternalError', `Cannot create the store ${path}: ${messageOf(cause)}.`, {
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
      ? 'the file is damaged or not a store; restore it from a backup or choose another data folder'
      : 'check that the data folder is on a writable disk with room left';
  return new StatusError('InternalError', `Cannot open the store ${path}: ${messageOf(error)}; ${advice}.`, {
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
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}
