import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StatusError } from '../base/errors.ts';
import type { KeyRange, KeyRevision } from './history.ts';
import { alreadyExists, conflict, notFound } from './revision-errors.ts';
import type { StoredObject, StoreEvent } from './store.ts';
import type { ValueCodec } from './value-codec.ts';
import type { Outcome } from './write-queue.ts';

export type Write =
  | { verb: 'create'; key: string; json: string }
  | { verb: 'update'; key: string; json: string; expectedRevision: number }
  | { verb: 'delete'; key: string; expectedRevision: number | undefined; json?: never };

/** A committed write; `bytes` is the size of the new value's JSON. */
export interface Applied {
  event: StoreEvent;
  previous: StoredObject | undefined;
  bytes: number;
}

type Current = (key: string) => StoredObject | undefined;

/** The keys that exist now, and the transaction that changes them. */
export class Objects {
  #database: DatabaseSync;
  #codec: ValueCodec;
  #find: StatementSync;
  #keys: StatementSync;
  #count: StatementSync;
  #log: StatementSync;
  #point: StatementSync;
  #remove: StatementSync;

  constructor(database: DatabaseSync, codec: ValueCodec) {
    this.#database = database;
    this.#codec = codec;
    const inRange = 'FROM objects WHERE key >= :from AND key < :before';
    this.#find = database.prepare('SELECT revision FROM objects WHERE key = ?');
    this.#keys = database.prepare(`SELECT key, revision ${inRange} ORDER BY key LIMIT :limit`);
    this.#count = database.prepare(`SELECT count(*) AS n ${inRange}`);
    this.#log = database.prepare(
      'INSERT INTO changes (revision, key, previous_revision, value) VALUES (?, ?, ?, ?)',
    );
    this.#point = database.prepare('INSERT OR REPLACE INTO objects (key, revision) VALUES (?, ?)');
    this.#remove = database.prepare('DELETE FROM objects WHERE key = ?');
  }

  revisionOf(key: string): number | undefined {
    return (this.#find.get(key) as { revision: number } | undefined)?.revision;
  }

  /** In byte order; a negative `limit` means all. */
  keys(range: KeyRange, limit: number): KeyRevision[] {
    return this.#keys.all({ ...range, limit }) as unknown as KeyRevision[];
  }

  count(range: KeyRange): number {
    return (this.#count.get({ ...range }) as { n: number }).n;
  }

  /**
   * Commits `batch` in one transaction, numbered from `revision` + 1. A write whose expectation fails is left out
   * and told so; a disk error undoes and throws for all.
   */
  commit(batch: Write[], revision: number, committed: Current): Outcome<Applied>[] {
    const changed = new Map<string, StoredObject | undefined>();
    const current: Current = (key) => (changed.has(key) ? changed.get(key) : committed(key));
    let next = revision + 1;
    this.#database.exec('BEGIN');
    try {
      const outcomes = batch.map((write) => {
        const outcome = this.#try(write, next, current);
        if ('result' in outcome) {
          const { key, value, type } = outcome.result.event;
          changed.set(key, type === 'delete' ? undefined : { key, revision: next, value });
          next += 1;
        }
        return outcome;
      });
      this.#database.exec('COMMIT');
      return outcomes;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #try(write: Write, revision: number, current: Current): Outcome<Applied> {
    const previous = current(write.key);
    const error = refusal(write, previous);
    return error ? { error } : { result: this.#apply(write, revision, previous) };
  }

  #apply(write: Write, revision: number, previous: StoredObject | undefined): Applied {
    const { key, json } = write;
    const stored = json === undefined ? null : this.#codec.encode(key, json);
    this.#log.run(revision, key, previous?.revision ?? null, stored);
    if (json === undefined) {
      this.#remove.run(key);
      const last = previous!.value;
      return {
        event: { type: 'delete', created: false, key, revision, value: last, previous: last },
        previous,
        bytes: 0,
      };
    }
    this.#point.run(key, revision);
    const event: StoreEvent = {
      type: 'put',
      created: !previous,
      key,
      revision,
      value: JSON.parse(json) as object,
      previous: previous?.value,
    };
    return { event, previous, bytes: json.length };
  }
}

function refusal(write: Write, previous: StoredObject | undefined): StatusError | undefined {
  if (write.verb === 'create') return previous && alreadyExists(write.key);
  if (!previous) return notFound(write.key);
  const { expectedRevision } = write;
  const isExpected = expectedRevision === undefined || expectedRevision === previous.revision;
  return isExpected ? undefined : conflict(write.key);
}
