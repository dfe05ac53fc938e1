import type { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../base/clock.ts';
import { messageOf, StatusError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { Compaction } from './compaction.ts';
import { describeWriteFailure, openDatabase } from './database.ts';
import { deepFreeze } from './deep-freeze.ts';
import { closeExclusive, sqliteCode } from './exclusive-file.ts';
import { Flush } from './flush.ts';
import { History, type KeyRevision, rangeOf } from './history.ts';
import { ObjectCache } from './object-cache.ts';
import { type Applied, Objects, type Write } from './objects.ts';
import { type StoreOptions, storeDefaults } from './options.ts';
import { listTooOld, revisionTooLarge } from './revision-errors.ts';
import type { ListOptions, ListPage, Store, StoredObject, StoreEvent, StoreWatch } from './store.ts';
import { Unflushed } from './unflushed.ts';
import { ValueCodec } from './value-codec.ts';
import { WatchHub } from './watch-hub.ts';
import { type Outcome, WriteQueue } from './write-queue.ts';

/** The revision of an empty store. */
const firstRevision = 1;

/**
 * Opens the store for this process alone, or throws a StatusError that says why not: Conflict when another process
 * holds the folder, Invalid for a newer schema, InternalError for a disk failure or a wrong encryption key.
 */
export function openStore(options: StoreOptions): Store {
  return new SqliteStore(options);
}

class SqliteStore implements Store {
  #bounds: typeof storeDefaults;
  #path: string;
  #log: Log;
  #database: DatabaseSync;
  #codec: ValueCodec;
  #objects: Objects;
  #history: History;
  #compaction: Compaction;
  #hub: WatchHub;
  #queue: WriteQueue<Write, Applied>;
  #cache: ObjectCache;
  #freeze: boolean;
  /** The newest revision that is durable: what is read is never newer. */
  #revision: number;
  /** None in memory. */
  #flush: Flush | undefined;
  #unflushed = new Unflushed();
  /** Why nothing can be written any more. */
  #failure: StatusError | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: StoreOptions) {
    const { path, clock = systemClock, log = silentLog } = options;
    this.#bounds = withDefaults(options);
    this.#path = path;
    this.#log = log;
    // Freezing takes about as long as parsing: only where a wrong write should show at once.
    this.#freeze = options.freeze ?? process.env.NODE_TEST_CONTEXT !== undefined;
    this.#codec = new ValueCodec(options.encrypt);
    this.#database = openDatabase(path, {
      sizeMaxBytes: this.#bounds.sizeMaxBytes,
      keyId: this.#codec.keyId,
      clock,
    });
    if (path !== ':memory:') this.#flush = new Flush(this.#database, path);
    this.#objects = new Objects(this.#database, this.#codec);
    this.#history = new History(this.#database, this.#codec);
    this.#compaction = new Compaction(this.#database, (error) =>
      log.warn('Cannot delete old history; the next compaction tries again', { error: messageOf(error) }),
    );
    this.#revision = Math.max(firstRevision, this.#history.newestRevision(), this.#compaction.compacted);
    this.#hub = new WatchHub(
      {
        revision: () => this.#revision,
        compacted: () => this.#compaction.compacted,
        events: (...range) => this.#history.events(...range).map((event) => this.#share(event)),
      },
      { recentMax: this.#bounds.watchBacklogMax, recentBytesMax: this.#bounds.watchBacklogBytesMax },
    );
    this.#queue = new WriteQueue((batch) => this.#commit(batch), {
      writesMax: this.#bounds.writeQueueMax,
      bytesMax: this.#bounds.writeQueueBytesMax,
      batchMax: this.#bounds.batchMax,
    });
    this.#cache = new ObjectCache({
      entriesMax: this.#bounds.cacheEntriesMax,
      bytesMax: this.#bounds.cacheBytesMax,
    });
  }

  revision(): number {
    return this.#revision;
  }

  get(key: string): StoredObject | undefined {
    this.#assertOpen();
    if (this.#unflushed.has(key)) return this.#unflushed.get(key);
    const cached = this.#cache.get(key);
    if (cached) return cached;
    const revision = this.#objects.revisionOf(key);
    return revision === undefined ? undefined : this.#load({ key, revision }, true);
  }

  list(prefix: string, options: ListOptions = {}): ListPage {
    this.#assertOpen();
    const { limit = -1, after, atRevision = this.#revision, countsRemaining = true } = options;
    if (atRevision < this.#compaction.compacted) throw listTooOld(atRevision, this.#compaction.compacted);
    if (atRevision > this.#revision) throw revisionTooLarge(atRevision, this.#revision);
    const isNow = atRevision === this.#revision;
    const range = rangeOf(prefix, after);
    // One more than asked for, to see whether there is more.
    const read = limit < 0 ? limit : limit + 1;
    const keys = isNow
      ? this.#unflushed.keys(this.#objects, range, read)
      : this.#history.keysAt(atRevision, range, read);
    const hasMore = limit >= 0 && keys.length > limit;
    if (hasMore) keys.pop();
    const next = hasMore ? (keys.at(-1)?.key ?? after) : undefined;
    let remaining = 0;
    if (hasMore && countsRemaining) {
      const rest = rangeOf(prefix, next);
      remaining = isNow
        ? this.#unflushed.count(this.#objects, rest)
        : this.#history.countAt(atRevision, rest);
    }
    return {
      items: keys.map((at) => this.#load(at, isNow)),
      revision: atRevision,
      ...(next !== undefined && { next }),
      remaining,
    };
  }

  async create(key: string, value: object): Promise<StoredObject> {
    return written(await this.#write({ verb: 'create', key, json: this.#encode(key, value) }));
  }

  async update(key: string, value: object, expectedRevision: number): Promise<StoredObject> {
    const json = this.#encode(key, value);
    return written(await this.#write({ verb: 'update', key, json, expectedRevision }));
  }

  async delete(key: string, expectedRevision?: number): Promise<{ revision: number; last: StoredObject }> {
    const { event, previous } = await this.#write({ verb: 'delete', key, expectedRevision });
    return { revision: event.revision, last: previous! };
  }

  watch(prefix: string, options: Parameters<Store['watch']>[1]): StoreWatch {
    this.#assertOpen();
    return this.#hub.watch(prefix, options);
  }

  compact(revision: number): void {
    this.#assertOpen();
    this.#compaction.compact(Math.min(revision, this.#revision));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queue.close();
    this.#isClosed = true;
    this.#hub.close();
    this.#compaction.close();
    try {
      if (!this.#failure) this.#flush?.finish();
    } finally {
      closeExclusive(this.#database, this.#path);
      this.#flush?.release();
    }
  }

  #write(write: Write): Promise<Applied> {
    return this.#queue.add(write, write.json?.length ?? 0);
  }

  async #commit(batch: Write[]): Promise<Outcome<Applied>[]> {
    if (this.#flush?.isJournalFull) await this.#checkpoint(this.#flush);
    if (this.#failure) throw this.#failure;
    let outcomes: Outcome<Applied>[];
    try {
      outcomes = this.#objects.commit(batch, this.#revision, (key) => this.get(key));
    } catch (error) {
      throw describeWriteFailure(error, this.#path);
    }
    const applied = outcomes.flatMap((outcome) => ('result' in outcome ? [outcome.result] : []));
    if (applied.length === 0) return outcomes;
    if (this.#flush) await this.#makeDurable(this.#flush, applied);
    this.#publish(applied);
    this.#compactBySize();
    return outcomes;
  }

  /** A disk that fails to flush leaves open what is on it: only a restart, which reads it anew, can tell. */
  async #makeDurable(flush: Flush, applied: readonly Applied[]): Promise<void> {
    for (const { event, previous } of applied) this.#unflushed.add(event.key, previous);
    // Writing to a file that is being flushed may wait for the flush, on this thread.
    this.#compaction.pause();
    try {
      await flush.sync();
    } catch (error) {
      this.#failure = describeWriteFailure(error, this.#path);
      throw this.#failure;
    } finally {
      this.#compaction.resume();
    }
    this.#unflushed.clear();
  }

  async #checkpoint(flush: Flush): Promise<void> {
    this.#compaction.pause();
    try {
      await flush.checkpoint();
    } catch (error) {
      // Where there is no room to copy to, the journal grows until there is; a flush that failed is another matter.
      if (sqliteCode(error) === undefined) this.#failure = describeWriteFailure(error, this.#path);
      else this.#log.warn('Cannot copy the journal; the next write tries again', { error: messageOf(error) });
    } finally {
      this.#compaction.resume();
    }
  }

  #publish(applied: readonly Applied[]): void {
    for (const { event, bytes } of applied) {
      this.#share(event);
      this.#revision = event.revision;
      if (event.type === 'delete') this.#cache.delete(event.key);
      else this.#cache.set({ key: event.key, revision: event.revision, value: event.value }, bytes);
    }
    this.#hub.publish(
      applied.map(({ event }) => event),
      applied.map(({ bytes }) => bytes),
    );
  }

  /** In steps of a tenth, so that a write does not each time rewrite the pages of the oldest change. */
  #compactBySize(): void {
    const { historyMax } = this.#bounds;
    const kept = this.#revision - Math.max(firstRevision, this.#compaction.compacted);
    if (kept >= historyMax * 1.1) this.#compaction.compact(this.#revision - historyMax);
  }

  #load(at: KeyRevision, isCurrent: boolean): StoredObject {
    const cached = this.#cache.peek(at.key);
    if (cached?.revision === at.revision) return cached;
    const { value, bytes } = this.#history.valueAt(at.revision);
    if (this.#freeze) deepFreeze(value);
    const object = { ...at, value };
    if (isCurrent) this.#cache.set(object, bytes);
    return object;
  }

  #share(event: StoreEvent): StoreEvent {
    if (this.#freeze) deepFreeze(event);
    return event;
  }

  #encode(key: string, value: object): string {
    const json = JSON.stringify(value);
    const bytes = Buffer.byteLength(json);
    if (bytes <= this.#bounds.valueBytesMax) return json;
    throw new StatusError(
      'RequestEntityTooLarge',
      `"${key}" is too large: ${bytes} bytes, at most ${this.#bounds.valueBytesMax} are stored in one object.`,
    );
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StatusError('ServiceUnavailable', 'The store is closed.');
  }
}

function written({ event: { key, revision, value } }: Applied): StoredObject {
  return { key, revision, value };
}

/** An option that is present but undefined means its default too. */
function withDefaults(options: StoreOptions): typeof storeDefaults {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...storeDefaults, ...Object.fromEntries(given) };
}
