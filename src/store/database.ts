import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../base/clock.ts';
import { messageOf, StatusError } from '../base/errors.ts';
import { openExclusively, sqliteCode } from './exclusive-file.ts';
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

/** Opens the store's file for this process alone, in the present schema. */
export function openDatabase(path: string, options: OpenOptions): DatabaseSync {
  return openExclusively(path, {
    clock: options.clock,
    prepare(database) {
      database.exec(`PRAGMA journal_size_limit = ${walBytesMax}`);
      database.exec('BEGIN IMMEDIATE');
      migrate(database, path);
      checkKey(database, options.keyId);
      database.exec('COMMIT');
      limitSize(database, options.sizeMaxBytes);
    },
  });
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
