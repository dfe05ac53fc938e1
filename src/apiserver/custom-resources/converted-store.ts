import { StatusError } from '../../base/errors.ts';
import type { ListPage, Store, StoredObject, StoreEvent, StoreWatch } from '../../store/store.ts';
import type { Conversion } from './conversion.ts';

/** The store as one version of a custom resource sees it: what lies under the prefix is in that version. */
export class ConvertedStore implements Store {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #version: string;
  readonly #conversion: Conversion;
  readonly #ended: AbortSignal;
  /** Converted for one request, by key and revision, since a webhook cannot be asked in the middle of one. */
  readonly #prepared = new Map<string, object>();

  constructor(
    at: { store: Store; prefix: string; version: string; ended: AbortSignal },
    conversion: Conversion,
  ) {
    this.#store = at.store;
    this.#prefix = at.prefix;
    this.#version = at.version;
    this.#ended = at.ended;
    this.#conversion = conversion;
  }

  /** The same for one request, which will read what lies under `prefix`: what a webhook has to convert, it has. */
  async forRequest(prefix: string): Promise<ConvertedStore> {
    if (!this.#conversion.asksWebhook) return this;
    const at = { store: this.#store, prefix: this.#prefix, version: this.#version, ended: this.#ended };
    const prepared = new ConvertedStore(at, this.#conversion);
    const { items } = this.#store.list(prefix);
    const values = await this.#conversion.read(
      items.map(({ value }) => value),
      this.#version,
    );
    for (const [index, { key, revision }] of items.entries()) {
      prepared.#prepared.set(`${key}@${revision}`, values[index]!);
    }
    return prepared;
  }

  /** An object of any version in this one. */
  async inThisVersion(object: object): Promise<object> {
    return this.#conversion.convert(object, this.#version);
  }

  revision(): number {
    return this.#store.revision();
  }

  get(key: string): StoredObject | undefined {
    const stored = this.#store.get(key);
    return stored && this.#shown(stored);
  }

  list(prefix: string, options?: Parameters<Store['list']>[1]): ListPage {
    const page = this.#store.list(prefix, options);
    return { ...page, items: page.items.map((stored) => this.#shown(stored)) };
  }

  async create(key: string, value: object): Promise<StoredObject> {
    if (!this.#isOurs(key)) return this.#store.create(key, value);
    return this.#read(await this.#store.create(key, await this.#conversion.write(value)));
  }

  async update(key: string, value: object, expectedRevision: number): Promise<StoredObject> {
    if (!this.#isOurs(key)) return this.#store.update(key, value, expectedRevision);
    return this.#read(await this.#store.update(key, await this.#conversion.write(value), expectedRevision));
  }

  async delete(key: string, expectedRevision?: number): Promise<{ revision: number; last: StoredObject }> {
    const deleted = await this.#store.delete(key, expectedRevision);
    return this.#isOurs(key) ? { ...deleted, last: await this.#read(deleted.last) } : deleted;
  }

  watch(prefix: string, options: { fromRevision: number; signal?: AbortSignal }): StoreWatch {
    const over = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal;
    const running = this.#store.watch(prefix, { ...options, signal });
    const events = this.#events(running[Symbol.asyncIterator](), over);
    return {
      get revision() {
        return running.revision;
      },
      [Symbol.asyncIterator]: () => events,
    };
  }

  compact(revision: number): void {
    this.#store.compact(revision);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async *#events(running: AsyncIterator<StoreEvent>, over: AbortController): AsyncGenerator<StoreEvent> {
    try {
      for (;;) {
        const next = await this.#unlessEnded(running.next());
        if (!next || next.done) return;
        yield this.#isOurs(next.value.key) ? await this.#converted(next.value) : next.value;
      }
    } finally {
      over.abort();
    }
  }

  /** Undefined when the version is no longer served and there is nothing left to tell. */
  #unlessEnded<T>(pending: Promise<T>): Promise<T | undefined> {
    const ended = this.#ended;
    return new Promise((resolve, reject) => {
      const end = () => setImmediate(() => resolve(undefined));
      if (ended.aborted) end();
      else ended.addEventListener('abort', end, { once: true });
      pending.then(resolve, reject).finally(() => ended.removeEventListener('abort', end));
    });
  }

  async #converted(event: StoreEvent): Promise<StoreEvent> {
    const values = event.previous ? [event.value, event.previous] : [event.value];
    const [value, previous] = await this.#conversion.read(values, this.#version);
    return { ...event, value: value!, ...(event.previous && { previous }) };
  }

  #isOurs(key: string): boolean {
    return key.startsWith(this.#prefix);
  }

  #shown(stored: StoredObject): StoredObject {
    if (!this.#isOurs(stored.key)) return stored;
    const value =
      this.#prepared.get(`${stored.key}@${stored.revision}`) ??
      this.#conversion.known(stored.value, this.#version);
    if (value) return { ...stored, value };
    // It was written after the request began.
    throw new StatusError('Conflict', 'the object was changed while it was read; please try again');
  }

  async #read(stored: StoredObject): Promise<StoredObject> {
    const [value] = await this.#conversion.read([stored.value], this.#version);
    return { ...stored, value: value! };
  }
}
