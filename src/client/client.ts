import type { KindAddress, KubeList, KubeObject } from '../api/object.ts';
import type { WatchEvent } from './transport.ts';

export interface ObjectKey {
  namespace?: string | undefined;
  name: string;
}

export interface ListOptions {
  namespace?: string | undefined;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  signal?: AbortSignal;
}

export interface WatchOptions {
  namespace?: string | undefined;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  timeoutSeconds?: number;
  signal?: AbortSignal;
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** `apply` is server-side apply: it needs a `fieldManager`, and makes the object where there is none. */
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface WriteOptions {
  subresource?: string;
  fieldManager?: string;
  /** Of an apply: take over the fields of other managers. */
  force?: boolean;
  dryRun?: boolean;
}

/** A kind as discovery tells of it. */
export interface ServedKind extends KindAddress {
  verbs: readonly string[];
}

/**
 * A typed Kubernetes client. Every method throws `StatusError` for an answer that is a failure.
 * Objects that come back may be shared with a cache and must not be changed in place.
 */
export interface Client {
  get<T extends KubeObject>(
    kind: KindAddress<T>,
    key: ObjectKey,
    options?: { subresource?: string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<T>;
  list<T extends KubeObject>(kind: KindAddress<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** The kinds, but no subresources, that a version serves. */
  discover(at: { group: string; version: string }): Promise<ServedKind[]>;
  create<T extends KubeObject>(kind: KindAddress<T>, object: T, options?: WriteOptions): Promise<T>;
  update<T extends KubeObject>(kind: KindAddress<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    kind: KindAddress<T>,
    key: ObjectKey,
    patch: { type: PatchType; body: unknown },
    options?: WriteOptions,
  ): Promise<T>;
  delete<T extends KubeObject>(kind: KindAddress<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  /** Ends when the server ends the watch or the signal aborts; an ERROR event is thrown as a StatusError. */
  watch<T extends KubeObject>(kind: KindAddress<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
}
