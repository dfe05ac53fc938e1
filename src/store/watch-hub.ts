import { revisionTooLarge, watchTooOld } from './revision-errors.ts';
import type { Store, StoreEvent, StoreWatch } from './store.ts';

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
  /** By prefix, of which there are few: a change is no business of the many that watch something else. */
  #waiting = new Map<string, Set<Cursor>>();
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
    for (const [prefix, cursors] of this.#waiting) {
      const under = events.filter((event) => event.key.startsWith(prefix));
      if (under.length === 0) continue;
      for (const cursor of cursors)
        if (!cursor.concerns || under.some(cursor.concerns)) this.#wake(cursor, before);
    }
  }

  watch(prefix: string, options: Parameters<Store['watch']>[1]): StoreWatch {
    const { fromRevision, signal, concerns } = options;
    if (fromRevision < this.#source.compacted()) throw watchTooOld(fromRevision, this.#source.compacted());
    if (fromRevision > this.#source.revision()) throw revisionTooLarge(fromRevision, this.#source.revision());
    const cursor: Cursor = { prefix, concerns, revision: fromRevision, wake: undefined };
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
    for (const cursors of this.#waiting.values()) for (const cursor of cursors) this.#wake(cursor);
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
          if (!cursor.concerns || cursor.concerns(event)) yield event;
        }
        cursor.revision = upTo;
        if (signal?.aborted || this.#closed) return;
        if (upTo >= this.#source.revision()) await this.#changed(cursor);
      }
    } finally {
      this.#leave(cursor);
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
      return { events: recent.filter(({ key }) => key.startsWith(prefix)), upTo };
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
      const alike = this.#waiting.get(cursor.prefix);
      if (alike) alike.add(cursor);
      else this.#waiting.set(cursor.prefix, new Set([cursor]));
    });
  }

  /** Up to `seen` there was nothing for it while it waited. */
  #wake(cursor: Cursor, seen = this.#source.revision()): void {
    if (!cursor.wake) return;
    this.#leave(cursor);
    cursor.revision = seen;
    cursor.wake();
    cursor.wake = undefined;
  }

  #leave(cursor: Cursor): void {
    const alike = this.#waiting.get(cursor.prefix);
    alike?.delete(cursor);
    if (alike?.size === 0) this.#waiting.delete(cursor.prefix);
  }
}
