import type { KubeObject } from '../api/object.ts';

/** What happened to one object, as its informer saw it. */
export type Change<T extends KubeObject> =
  | { type: 'added'; key: string; object: T }
  | { type: 'modified'; key: string; object: T; previous: T }
  | { type: 'deleted'; key: string; object: T };

/** Gives the values under which an object is found again. */
export type Indexers<T> = Record<string, (object: T) => string[]>;

/** `namespace/name`, or `name` where there is no namespace. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

/** Undoes `keyOf`. */
export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  if (slash < 0) return { namespace: undefined, name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The objects that an informer has seen, by key and by index. Says what changed, and nothing twice. */
export class ObjectCache<T extends KubeObject> {
  #objects = new Map<string, T>();
  #indexers: Indexers<T>;
  #indices = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexers<T> = {}) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indices.set(name, new Map());
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indices.get(name);
    if (!index) throw new Error(`no index "${name}"; there are: ${[...this.#indices.keys()].join(', ')}`);
    return [...(index.get(value) ?? [])].map((key) => this.#objects.get(key)!);
  }

  /** Takes in an object; an object of the same uid and resourceVersion is no change. */
  put(object: T): Change<T>[] {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (!previous) {
      this.#set(key, object);
      return [{ type: 'added', key, object }];
    }
    if (previous.metadata?.uid !== object.metadata?.uid) {
      // Deleted and made anew while we did not look.
      return [...this.remove(previous), ...this.put(object)];
    }
    if (previous.metadata?.resourceVersion === object.metadata?.resourceVersion) return [];
    this.#unindex(key, previous);
    this.#set(key, object);
    return [{ type: 'modified', key, object, previous }];
  }

  remove(object: T): Change<T>[] {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (!previous) return [];
    this.#unindex(key, previous);
    this.#objects.delete(key);
    return [{ type: 'deleted', key, object }];
  }

  /** Removes all whose keys are not among `keys`. */
  keepOnly(keys: ReadonlySet<string>): Change<T>[] {
    return this.list()
      .filter((object) => !keys.has(keyOf(object)))
      .flatMap((object) => this.remove(object));
  }

  #set(key: string, object: T): void {
    this.#objects.set(key, object);
    for (const [name, valuesOf] of Object.entries(this.#indexers)) {
      const index = this.#indices.get(name)!;
      for (const value of valuesOf(object)) {
        const keys = index.get(value);
        if (keys) keys.add(key);
        else index.set(value, new Set([key]));
      }
    }
  }

  #unindex(key: string, object: T): void {
    for (const [name, valuesOf] of Object.entries(this.#indexers)) {
      const index = this.#indices.get(name)!;
      for (const value of valuesOf(object)) {
        const keys = index.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index.delete(value);
      }
    }
  }
}
