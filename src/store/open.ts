import type { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../base/clock.ts';
import { messageOf, StatusError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { Compaction } from './compaction.ts';
import { describeWriteFailure, openDatabase } from './database.ts';
import { deepFreeze } from './deep-freeze.ts';
import { closeExclusive } from './exclusive-file.ts';
import { History, type KeyRevision, rangeOf } from './history.ts';
import { ObjectCache } from './object-cache.ts';
import { type Applied, Objects, type Write } from './objects.ts';
import { type StoreOptions, storeDefaults } from './options.ts';
import { listTooOld, revisionTooLarge } from './revision-errors.ts';
import type { ListPage, Store, StoredObject, StoreEvent, StoreWatch } from './store.ts';
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
  #database: DatabaseSync;
  #codec: ValueCodec;
  #objects: Objects;
  #history: History;
  #compaction: Compaction;
  #hub: WatchHub;
  #queue: WriteQueue<Write, Applied>;
  #cache: ObjectCache;
  #freeze: boolean;
  #revision: number;
  #isClosed = false;

  constructor(options: StoreOptions) {
    const { path, clock = systemClock, log = silentLog } = options;
    this.#bounds = withDefaults(options);
    this.#path = path;
    // Freezing takes about as long as parsing: only where a wrong write should show at once.
    this.#freeze = options.freeze ?? process.env.NODE_TEST_CONTEXT !== undefined;
    this.#codec = new ValueCodec(options.encrypt);
    this.#database = openDatabase(path, {
      sizeMaxBytes: this.#bounds.sizeMaxBytes,
      keyId: this.#codec.keyId,
      clock,
    });
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
    const cached = this.#cache.get(key);
    if (cached) return cached;
    const revision = this.#objects.revisionOf(key);
    return revision === undefined ? undefined : this.#load({ key, revision }, true);
  }

  list(prefix: string, options: { limit?: number; after?: string; atRevision?: number } = {}): ListPage {
    this.#assertOpen();
    const { limit = -1, after, atRevision = this.#revision } = options;
    if (atRevision < this.#compaction.compacted) throw listTooOld(atRevision, this.#compaction.compacted);
    if (atRevision > this.#revision) throw revisionTooLarge(atRevision, this.#revision);
    const isNow = atRevision === this.#revision;
    const range = rangeOf(prefix, after);
    const keys = isNow ? this.#objects.keys(range, limit) : this.#history.keysAt(atRevision, range, limit);
    const next = keys.length === limit ? keys.at(-1)?.key : undefined;
    let remaining = 0;
    if (next !== undefined) {
      const rest = rangeOf(prefix, next);
      remaining = isNow ? this.#objects.count(rest) : this.#history.countAt(atRevision, rest);
    }
    return {
      items: keys.map((at) => this.#load(at, isNow)),
      revision: atRevision,
      ...(remaining > 0 && { next }),
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

  watch(prefix: string, options: { fromRevision: number; signal?: AbortSignal }): StoreWatch {
    this.#assertOpen();
    return this.#hub.watch(prefix, options);
  }

  compact(revision: number): void {
    this.#assertOpen();
    this.#compaction.compact(Math.min(revision, this.#revision));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#queue.close();
    this.#isClosed = true;
    this.#hub.close();
    this.#compaction.close();
    closeExclusive(this.#database, this.#path);
  }

  #write(write: Write): Promise<Applied> {
    return this.#queue.add(write, write.json?.length ?? 0);
  }

  #commit(batch: Write[]): Outcome<Applied>[] {
    let outcomes: Outcome<Applied>[];
    try {
      outcomes = this.#objects.commit(batch, this.#revision, (key) => this.get(key));
    } catch (error) {
      throw describeWriteFailure(error, this.#path);
    }
    const applied = outcomes.flatMap((outcome) => ('result' in outcome ? [outcome.result] : []));
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
    this.#compactBySize();
    return outcomes;
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
