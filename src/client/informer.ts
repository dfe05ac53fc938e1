import type { KindAddress, KubeObject } from '../api/object.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { backoffMs } from './backoff.ts';
import { type Change, type Indexers, keyOf, ObjectCache } from './cache.ts';
import type { Client } from './client.ts';

const pageItemsMax = 500;
const retryInitialMs = 500;
export const retryMaxMs = 30_000;
/** A watch that lived this long, or brought anything, proves the server well: the back-off starts anew. */
const healthyWatchMs = 10_000;
/** The server ends a watch after 5 to 10 minutes, so that a dead connection cannot stay unnoticed for longer. */
const watchSecondsMin = 300;

export interface InformerOptions<T extends KubeObject> {
  client: Client;
  kind: KindAddress<T>;
  namespace?: string | undefined;
  labelSelector?: string;
  fieldSelector?: string;
  clock: Clock;
  log: Log;
  indexers?: Indexers<T>;
  /** In [0, 1); Math.random by default. */
  random?: () => number;
  onChange?: (change: Change<T>) => void;
}

/** A cache of one kind that follows the server. Its objects must not be changed in place. */
export interface Informer<T extends KubeObject> {
  /** Lists, then watches, until `signal` aborts. Call it once. */
  start(signal: AbortSignal): void;
  /** Resolves when the first list is in the cache; rejects when the signal aborts before that. */
  hasSynced(): Promise<void>;
  /** By `namespace/name`, or `name` for a cluster-scoped kind. */
  get(key: string): T | undefined;
  list(): T[];
  byIndex(name: string, value: string): T[];
  /** Calls `handler` for every change from now on, and first for what is in the cache already. Returns how to stop. */
  onEvent(handler: (change: Change<T>) => void): () => void;
}

/**
 * List and watch of one kind. It resumes from the last resourceVersion that it saw, lists anew after a 410
 * (deletions it missed become changes too), and waits longer after each failure.
 */
export function createInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { kind, onChange } = options;
  const log = options.log.with({ kind: kind.kind });
  const cache = new ObjectCache<T>(options.indexers);
  const handlers = new Set<(change: Change<T>) => void>(onChange ? [onChange] : []);
  const synced = Promise.withResolvers<void>();
  // Whoever waits sees the rejection; nobody has to.
  synced.promise.catch(() => {});

  const publish = (changes: Change<T>[]) => {
    for (const change of changes) for (const handler of handlers) tell(handler, change, log);
  };
  return {
    start(signal) {
      const reflector = new Reflector(options, cache, publish, synced.resolve, log);
      void reflector.run(signal).finally(() => {
        synced.reject(new Error(`the informer of ${kind.plural} stopped before its first list`));
      });
    },
    hasSynced: () => synced.promise,
    get: (key) => cache.get(key),
    list: () => cache.list(),
    byIndex: (name, value) => cache.byIndex(name, value),
    onEvent(handler) {
      for (const object of cache.list()) tell(handler, { type: 'added', key: keyOf(object), object }, log);
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}

/** One handler's failure must not keep a change from the others, nor stop the watch. */
function tell<T extends KubeObject>(handler: (change: Change<T>) => void, change: Change<T>, log: Log): void {
  try {
    handler(change);
  } catch (error) {
    log.error('a change handler failed', { key: change.key, error: messageOf(error) });
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class Reflector<T extends KubeObject> {
  #options: InformerOptions<T>;
  #cache: ObjectCache<T>;
  #publish: (changes: Change<T>[]) => void;
  #onListed: () => void;
  #log: Log;
  /** Where the next watch starts; absent when a list is due. */
  #resourceVersion: string | undefined;
  #failures = 0;

  constructor(
    options: InformerOptions<T>,
    cache: ObjectCache<T>,
    publish: (changes: Change<T>[]) => void,
    onListed: () => void,
    log: Log,
  ) {
    this.#options = options;
    this.#cache = cache;
    this.#publish = publish;
    this.#onListed = onListed;
    this.#log = log;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      const startMs = clock.nowMs();
      let received = 0;
      let hasFailed = false;
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        for await (const changes of this.#watch(signal)) {
          received++;
          this.#publish(changes);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#onFailure(error);
        hasFailed = true;
      }
      if (signal.aborted) return;
      const wasHealthy = received > 0 || clock.nowMs() - startMs >= healthyWatchMs;
      this.#failures = wasHealthy ? Number(hasFailed) : this.#failures + 1;
      const delayMs = backoffMs(Math.max(1, this.#failures), {
        initialMs: retryInitialMs,
        maxMs: retryMaxMs,
        ...(random && { random }),
      });
      await sleep(clock, delayMs, signal);
    }
  }

  #onFailure(error: unknown): void {
    // Only a server that could not be asked leaves our place in its history valid for sure.
    const isPlaceKept = isStatus(error, 'ServiceUnavailable') || isStatus(error, 'TooManyRequests');
    if (!isPlaceKept) this.#resourceVersion = undefined;
    const fields = { error: messageOf(error), failures: this.#failures + 1 };
    // The first failure is news; the rest of a long disconnection is not.
    if (this.#failures === 0 && !isStatus(error, 'Expired')) this.#log.warn('watch interrupted', fields);
    else this.#log.debug('watch interrupted', fields);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, kind } = this.#options;
    const items: T[] = [];
    let next: string | undefined;
    let resourceVersion: string | undefined;
    do {
      const page = await client.list(kind, {
        ...this.#selection(),
        limit: pageItemsMax,
        ...(next ? { continue: next } : {}),
        signal,
      });
      items.push(...page.items);
      resourceVersion = page.metadata.resourceVersion;
      next = page.metadata.continue;
      // A transport in this process answers without a turn of the event loop.
      if (next) await turn();
    } while (next);
    await this.#takeIn(items);
    this.#resourceVersion = resourceVersion;
    this.#onListed();
  }

  /** Deletions first; then in pages, so that very many objects keep nobody waiting while everybody hears of them. */
  async #takeIn(items: readonly T[]): Promise<void> {
    this.#publish(this.#cache.keepOnly(new Set(items.map(keyOf))));
    for (let at = 0; at < items.length; at += pageItemsMax) {
      if (at > 0) await turn();
      const page = items.slice(at, at + pageItemsMax);
      this.#publish(page.flatMap((item) => this.#cache.put(item)));
    }
  }

  async *#watch(signal: AbortSignal): AsyncGenerator<Change<T>[]> {
    const { client, kind, random = Math.random } = this.#options;
    const events = client.watch(kind, {
      ...this.#selection(),
      ...(this.#resourceVersion !== undefined && { resourceVersion: this.#resourceVersion }),
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(watchSecondsMin * (1 + random())),
      signal,
    });
    for await (const { type, object } of events) {
      if (signal.aborted) return;
      const changes =
        type === 'BOOKMARK' ? [] : type === 'DELETED' ? this.#cache.remove(object) : this.#cache.put(object);
      this.#resourceVersion = object.metadata?.resourceVersion ?? this.#resourceVersion;
      yield changes;
    }
  }

  #selection() {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace !== undefined && { namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    };
  }
}
