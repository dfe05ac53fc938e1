import { revisionTooLarge, watchTooOld } from './revision-errors.ts';
import type { FieldValue, Store, StoreEvent, StoreWatch } from './store.ts';

/** Changes read from disk at a time by a watch that catches up. */
const catchUpChunk = 256;

interface Source {
  /** The newest committed revision. */
  revision(): number;
  compacted(): number;
  /** From disk: changes under `prefix` in (after, to], at most `limit`. */
  events(prefix: string, after: number, to: number, limit: number): StoreEvent[];
}

interface Cursor {
  prefix: string;
  where: FieldValue | undefined;
  concerns: ((event: StoreEvent) => boolean) | undefined;
  /** All up to here was handed out. */
  revision: number;
  wake: (() => void) | undefined;
}

/**
 * Serves watches. A watch is a cursor into one shared ring of recent events, so it costs nothing while it waits, has
 * no queue of its own that could grow, and cannot miss what happens between catching up and going live. One that
 * fell out of the ring reads from disk; one that fell behind compaction is ended with Expired.
 */
export class WatchHub {
  #source: Source;
  #recent: StoreEvent[] = [];
  #recentSizes: number[] = [];
  #recentBytes = 0;
  #bounds: { recentMax: number; recentBytesMax: number };
  readonly #waiting = new Waiting();
  #closed = false;

  constructor(source: Source, bounds: { recentMax: number; recentBytesMax: number }) {
    this.#source = source;
    this.#bounds = bounds;
  }

  /** Takes committed events with the sizes of their JSON; their revisions go on from the last without a gap. */
  publish(events: StoreEvent[], sizes: number[]): void {
    if (events.length === 0) return;
    this.#recent.push(...events);
    this.#recentSizes.push(...sizes);
    for (const bytes of sizes) this.#recentBytes += bytes;
    this.#trim();
    const before = events[0]!.revision - 1;
    for (const event of events) {
      for (const cursor of this.#waiting.for(event)) {
        if (!cursor.concerns || cursor.concerns(event)) this.#wake(cursor, before);
      }
    }
  }

  watch(prefix: string, options: Parameters<Store['watch']>[1]): StoreWatch {
    const { fromRevision, signal, where, concerns } = options;
    if (fromRevision < this.#source.compacted()) throw watchTooOld(fromRevision, this.#source.compacted());
    if (fromRevision > this.#source.revision()) throw revisionTooLarge(fromRevision, this.#source.revision());
    const cursor: Cursor = { prefix, where, concerns, revision: fromRevision, wake: undefined };
    const events = this.#follow(cursor, signal);
    const source = this.#source;
    return {
      get revision() {
        return cursor.wake ? source.revision() : cursor.revision;
      },
      [Symbol.asyncIterator]: () => events,
    };
  }

  close(): void {
    this.#closed = true;
    for (const cursor of this.#waiting.all()) this.#wake(cursor);
  }

  async *#follow(cursor: Cursor, signal: AbortSignal | undefined): AsyncGenerator<StoreEvent> {
    const onAbort = () => this.#wake(cursor);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for (;;) {
        const { events, upTo } = this.#read(cursor);
        for (const event of events) {
          if (signal?.aborted) return;
          cursor.revision = event.revision;
          if (isAbout(cursor, event)) yield event;
        }
        cursor.revision = upTo;
        if (signal?.aborted || this.#closed) return;
        if (upTo >= this.#source.revision()) await this.#changed(cursor);
        // Thousands of agents that come back at once each read what they missed: others get their turn in between.
        else await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#waiting.delete(cursor);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** The next events after the cursor, and the revision that they reach. */
  #read({ prefix, revision }: Cursor): { events: StoreEvent[]; upTo: number } {
    const newest = this.#source.revision();
    if (revision >= newest) return { events: [], upTo: revision };
    const oldestRecent = this.#recent[0]?.revision ?? newest + 1;
    if (revision + 1 >= oldestRecent) {
      const upTo = Math.min(newest, revision + catchUpChunk);
      const recent = this.#recent.slice(revision + 1 - oldestRecent, upTo + 1 - oldestRecent);
      return { events: recent.filter(({ key }) => isUnder(key, prefix)), upTo };
    }
    if (revision < this.#source.compacted()) throw watchTooOld(revision, this.#source.compacted());
    const events = this.#source.events(prefix, revision, oldestRecent - 1, catchUpChunk);
    return { events, upTo: events.length < catchUpChunk ? oldestRecent - 1 : events.at(-1)!.revision };
  }

  /** A third more than the bound is let in before, since removing from the front moves the rest. */
  #trim(): void {
    const { recentMax, recentBytesMax } = this.#bounds;
    if (this.#recent.length <= recentMax * 1.33 && this.#recentBytes <= recentBytesMax * 1.33) return;
    let surplus = Math.max(0, this.#recent.length - recentMax);
    for (const bytes of this.#recentSizes.slice(0, surplus)) this.#recentBytes -= bytes;
    for (; this.#recentBytes > recentBytesMax; surplus++) this.#recentBytes -= this.#recentSizes[surplus]!;
    this.#recent.splice(0, surplus);
    this.#recentSizes.splice(0, surplus);
  }

  #changed(cursor: Cursor): Promise<void> {
    return new Promise((resolve) => {
      cursor.wake = resolve;
      this.#waiting.add(cursor);
    });
  }

  /** Up to `seen` there was nothing for it while it waited. */
  #wake(cursor: Cursor, seen = this.#source.revision()): void {
    if (!cursor.wake) return;
    this.#waiting.delete(cursor);
    cursor.revision = seen;
    cursor.wake();
    cursor.wake = undefined;
  }
}

type Read = FieldValue['read'];

/**
 * The watches that wait, found by what changes: by prefix, and below it by the field that they wait for and its value. Of
 * ten thousand nodes that each watch their own pods, a pod's change looks at one.
 */
class Waiting {
  readonly #byPrefix = new Map<string, Map<Read | undefined, Map<string, Set<Cursor>>>>();

  add(cursor: Cursor): void {
    const { prefix, where } = cursor;
    const byField = this.#byPrefix.get(prefix) ?? new Map<Read | undefined, Map<string, Set<Cursor>>>();
    this.#byPrefix.set(prefix, byField);
    const byValue = byField.get(where?.read) ?? new Map<string, Set<Cursor>>();
    byField.set(where?.read, byValue);
    const value = where?.value ?? '';
    byValue.set(value, (byValue.get(value) ?? new Set()).add(cursor));
  }

  delete(cursor: Cursor): void {
    const { prefix, where } = cursor;
    const byField = this.#byPrefix.get(prefix);
    const byValue = byField?.get(where?.read);
    const value = where?.value ?? '';
    const alike = byValue?.get(value);
    if (!alike?.delete(cursor) || alike.size > 0) return;
    byValue!.delete(value);
    if (byValue!.size > 0) return;
    byField!.delete(where?.read);
    if (byField!.size === 0) this.#byPrefix.delete(prefix);
  }

  *all(): Generator<Cursor> {
    for (const byField of this.#byPrefix.values())
      for (const byValue of byField.values()) for (const alike of byValue.values()) yield* alike;
  }

  /** Those that a change is about, as far as prefix and field tell; they may leave meanwhile. */
  *for(event: StoreEvent): Generator<Cursor> {
    for (const prefix of prefixesOf(event.key)) {
      const byField = this.#byPrefix.get(prefix);
      if (!byField) continue;
      for (const [read, byValue] of byField) {
        for (const value of read ? valuesOf(event, read) : ['']) yield* byValue.get(value) ?? [];
      }
    }
  }
}

/** Every prefix that a watch of the key can have. */
function prefixesOf(key: string): string[] {
  const prefixes = ['', key];
  for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
    if (slash < key.length - 1) prefixes.push(key.slice(0, slash + 1));
  }
  return prefixes;
}

function isUnder(key: string, prefix: string): boolean {
  return prefix === '' || prefix.endsWith('/') ? key.startsWith(prefix) : key === prefix;
}

/** The field's value after the change, and before it where that was another. */
function valuesOf({ value, previous }: StoreEvent, read: Read): string[] {
  const after = read(value);
  const before = previous === undefined ? after : read(previous);
  return before === after ? [after] : [after, before];
}

function isAbout({ prefix, where, concerns }: Cursor, event: StoreEvent): boolean {
  if (where && !valuesOf(event, where.read).includes(where.value)) return false;
  return isUnder(event.key, prefix) && (!concerns || concerns(event));
}
