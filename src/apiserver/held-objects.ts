import type { KubeObject } from '../api/object.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Store, StoreEvent, StoreWatch } from '../store/store.ts';
import { objectOf, prefixOf } from './stored.ts';

/**
 * All objects of a kind that are few and asked about at every write, by namespace ('' for those of the whole cluster).
 * Kept up to date by a watch, which ends when the store is closed; never behind what the store has acknowledged.
 */
export class HeldObjects<T extends KubeObject> {
  readonly #store: Store;
  readonly #log: Log;
  readonly #kind: { group: string; plural: string };
  readonly #prefix: string;
  /** By namespace, then by name. */
  #objects = new Map<string, Map<string, T>>();
  #watch: StoreWatch | undefined;
  /** Everything up to here is held. */
  #revision = 0;
  #version = 0;

  constructor({ store, log }: { store: Store; log: Log }, kind: { group: string; plural: string }) {
    this.#store = store;
    this.#log = log;
    this.#kind = kind;
    this.#prefix = prefixOf(kind);
    this.#follow();
  }

  /** Grows with every change: what was derived from these objects holds as long as it is the same. */
  get version(): number {
    this.#catchUp();
    return this.#version;
  }

  /** Whether there are none; cheap enough for every write. False for a moment after the last one went. */
  get isEmpty(): boolean {
    if (this.#objects.size > 0) return false;
    this.#catchUp();
    return this.#objects.size === 0;
  }

  /** Those of one namespace in the order of their names. */
  in(namespace: string): T[] {
    this.#catchUp();
    return [...(this.#objects.get(namespace)?.values() ?? [])].sort(byName);
  }

  all(): T[] {
    this.#catchUp();
    return [...this.#objects.values()].flatMap((objects) => [...objects.values()]).sort(byName);
  }

  get(name: string, namespace = ''): T | undefined {
    this.#catchUp();
    return this.#objects.get(namespace)?.get(name);
  }

  /** A change reaches the watch some microtasks after it was acknowledged: until then the store is read. */
  #catchUp(): void {
    const revision = this.#store.revision();
    if (this.#watch?.revision !== revision && this.#revision !== revision) this.#read();
  }

  #read(): void {
    const page = this.#store.list(this.#prefix);
    this.#objects.clear();
    for (const stored of page.items) this.#put(stored);
    this.#revision = page.revision;
    this.#version++;
  }

  #put(stored: { value: object; revision: number }): void {
    // What lies under a kind's prefix is of that kind.
    const object = objectOf(stored) as T;
    const { namespace = '', name } = object.metadata!;
    const held = this.#objects.get(namespace) ?? new Map<string, T>();
    this.#objects.set(namespace, held.set(name!, object));
  }

  #apply({ type, revision, value }: StoreEvent): void {
    if (revision <= this.#revision) return;
    const { namespace = '', name } = (value as KubeObject).metadata!;
    if (type === 'put') this.#put({ value, revision });
    else if (this.#objects.get(namespace)?.delete(name!) && this.#objects.get(namespace)!.size === 0) {
      this.#objects.delete(namespace);
    }
    this.#revision = revision;
    this.#version++;
  }

  #follow(): void {
    this.#read();
    const watch = this.#store.watch(this.#prefix, { fromRevision: this.#revision });
    this.#watch = watch;
    this.#consume(watch).catch((error: unknown) => {
      // Closed stores end a watch without an error, so this one fell behind.
      this.#watch = undefined;
      this.#log.warn(`${this.#kind.plural} are read anew`, { error: messageOf(error) });
      try {
        this.#follow();
      } catch (failure) {
        // Without a watch every look reads the store.
        this.#log.error(`${this.#kind.plural} cannot be watched`, { error: messageOf(failure) });
      }
    });
  }

  async #consume(watch: StoreWatch): Promise<void> {
    for await (const change of watch) this.#apply(change);
  }
}

function byName(a: KubeObject, b: KubeObject): number {
  return a.metadata!.name! < b.metadata!.name! ? -1 : 1;
}
