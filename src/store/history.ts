import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoreEvent } from './store.ts';
import type { StoredValue, ValueCodec } from './value-codec.ts';

/** A key and the revision of the value that it held. */
export interface KeyRevision {
  key: string;
  revision: number;
}

/** Keys from `from` up to, but not, `before`, in byte order. */
export interface KeyRange {
  from: string;
  before: string;
}

/** The keys that start with `prefix`, or those of them after `after`. */
export function rangeOf(prefix: string, after?: string): KeyRange {
  // No key sorts after U+10FFFF under its prefix: it is no character. NUL makes the next possible key.
  const before = `${prefix}\u{10FFFF}`;
  return { from: after !== undefined && after >= prefix ? `${after}\0` : prefix, before };
}

interface ChangeRow {
  revision: number;
  key: string;
  previous_revision: number | null;
  value: StoredValue | null;
  previous: StoredValue | null;
}

/** Keys as they were at revision `:at`: unchanged since, or what the first later change replaced. */
const pastKeys = `
  SELECT key, revision FROM objects WHERE key >= :from AND key < :before AND revision <= :at
  UNION ALL
  SELECT key, previous_revision AS revision FROM (
    SELECT key, min(revision), previous_revision FROM changes
    WHERE revision > :at AND key >= :from AND key < :before GROUP BY key
  ) WHERE previous_revision IS NOT NULL`;

/** The change log and the values in it. */
export class History {
  #codec: ValueCodec;
  #newest: StatementSync;
  #value: StatementSync;
  #events: StatementSync;
  #past: StatementSync;
  #pastCount: StatementSync;

  constructor(database: DatabaseSync, codec: ValueCodec) {
    this.#codec = codec;
    this.#newest = database.prepare('SELECT max(revision) AS n FROM changes');
    this.#value = database.prepare('SELECT key, value FROM changes WHERE revision = ?');
    this.#events = database.prepare(`
      SELECT c.revision, c.key, c.previous_revision, c.value, p.value AS previous
      FROM changes c LEFT JOIN changes p ON p.revision = c.previous_revision
      WHERE c.revision > :after AND c.revision <= :to AND c.key >= :from AND c.key < :before
      ORDER BY c.revision LIMIT :limit`);
    this.#past = database.prepare(`${pastKeys} ORDER BY key LIMIT :limit`);
    this.#pastCount = database.prepare(`SELECT count(*) AS n FROM (${pastKeys})`);
  }

  newestRevision(): number {
    return (this.#newest.get() as { n: number | null }).n ?? 0;
  }

  /** The value that was written at `revision`, with the size of its JSON. */
  valueAt(revision: number): { value: object; bytes: number } {
    const row = this.#value.get(revision) as { key: string; value: StoredValue } | undefined;
    if (!row) throw new Error(`store invariant: revision ${revision} has no value`);
    const json = this.#codec.decode(row.key, row.value);
    return { value: JSON.parse(json) as object, bytes: json.length };
  }

  /** Changes under `prefix` in (after, to], oldest first, at most `limit`. */
  events(prefix: string, after: number, to: number, limit: number): StoreEvent[] {
    const rows = this.#events.all({ after, to, ...rangeOf(prefix), limit });
    return (rows as unknown as ChangeRow[]).map((row) => this.#toEvent(row));
  }

  keysAt(at: number, range: KeyRange, limit: number): KeyRevision[] {
    return this.#past.all({ at, ...range, limit }) as unknown as KeyRevision[];
  }

  countAt(at: number, range: KeyRange): number {
    return (this.#pastCount.get({ at, ...range }) as { n: number }).n;
  }

  #toEvent(row: ChangeRow): StoreEvent {
    const parse = (stored: StoredValue) => JSON.parse(this.#codec.decode(row.key, stored)) as object;
    const previous = row.previous === null ? undefined : parse(row.previous);
    const { key, revision } = row;
    if (row.value === null)
      return { type: 'delete', created: false, key, revision, value: previous!, previous };
    return { type: 'put', created: !previous, key, revision, value: parse(row.value), previous };
  }
}
