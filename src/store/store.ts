/** An object as stored. `value` is shared and must not be changed in place. */
export interface StoredObject {
  key: string;
  /** The revision that wrote this value: the object's resourceVersion. */
  revision: number;
  value: object;
}

/** One change. All watchers share the same event object, so a WeakMap can keep its encoding. */
export interface StoreEvent {
  type: 'put' | 'delete';
  /** True when a put made the key anew. */
  created: boolean;
  key: string;
  /** The revision of this change; unique and ascending in the whole store. */
  revision: number;
  /** After a put the new value, after a delete the last one. */
  value: object;
  /** What the key held before, if anything. */
  previous?: object | undefined;
}

export interface ListPage {
  items: StoredObject[];
  /** The revision that the page is consistent with. */
  revision: number;
  /** Pass to the next call as `after`; absent on the last page. */
  next?: string | undefined;
  /** How many items follow this page; 0 where they were not to be counted. */
  remaining: number;
}

export interface ListOptions {
  /** All, if absent. */
  limit?: number;
  /** Begins behind this key. */
  after?: string;
  /** Reads the past, as far as it has not been compacted. */
  atRevision?: number;
  /** False where nobody asks how many follow: counting them takes as long as reading their keys. */
  countsRemaining?: boolean;
}

/** What a field must hold, before a change or after it. */
export interface FieldValue {
  read: (value: object) => string;
  value: string;
}

/** A running watch: iterate it once. */
export interface StoreWatch extends AsyncIterable<StoreEvent> {
  /** Every change under the prefix up to this revision was handed out: what a bookmark may say. */
  readonly revision: number;
}

/**
 * Revisioned objects. One global, monotonic revision numbers every change; a write is durable on disk
 * before its promise resolves. Keys are paths such as `/apps/deployments/default/web`. A value is kept as
 * JSON: what is handed out is a copy of what was written, without `undefined` members.
 * Errors are `StatusError`: AlreadyExists, NotFound, Conflict (wrong expected revision), Expired (a
 * revision that was compacted away), Timeout (a revision that does not exist yet), InternalError (disk),
 * TooManyRequests (the write queue is full), RequestEntityTooLarge, ServiceUnavailable (closed).
 */
export interface Store {
  /** The newest committed revision; an empty store is at 1, since 0 means "any" to Kubernetes. */
  revision(): number;
  get(key: string): StoredObject | undefined;
  /** Keys under `prefix` in byte order. */
  list(prefix: string, options?: ListOptions): ListPage;
  create(key: string, value: object): Promise<StoredObject>;
  update(key: string, value: object, expectedRevision: number): Promise<StoredObject>;
  /** Resolves to the revision of the deletion. */
  delete(key: string, expectedRevision?: number): Promise<{ revision: number; last: StoredObject }>;
  /**
   * All changes under `prefix`, which ends with a slash, or is empty, or is one object's key, after `fromRevision`, in order and without gaps, until `signal` aborts.
   * Throws Expired at once when `fromRevision` was compacted; a consumer that falls too far behind is ended
   * with Expired too. What is not as `where` and `concerns` say, before it and after it, is passed
   * over without waking the consumer; these must not throw. Of those that wait for the same field, which should be the
   * same function, only those that wait for a change's values are looked at, however many they are.
   */
  watch(
    prefix: string,
    options: {
      fromRevision: number;
      signal?: AbortSignal;
      where?: FieldValue | undefined;
      concerns?: (event: StoreEvent) => boolean;
    },
  ): StoreWatch;
  /** Forgets history up to and including `revision`. */
  compact(revision: number): void;
  /** Commits what is queued, ends the watches and lets the data folder go. */
  close(): Promise<void>;
}
