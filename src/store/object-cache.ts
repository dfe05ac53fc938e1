import type { StoredObject } from './store.ts';

/** Parsed current objects by key, least recently used out first; bounded by entries and by bytes of JSON. */
export class ObjectCache {
  #entries = new Map<string, { object: StoredObject; bytes: number }>();
  #bytes = 0;
  #entriesMax: number;
  #bytesMax: number;

  constructor(bounds: { entriesMax: number; bytesMax: number }) {
    this.#entriesMax = bounds.entriesMax;
    this.#bytesMax = bounds.bytesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): StoredObject | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.object;
  }

  /** Like `get`, but a scan over everything does not count as use. */
  peek(key: string): StoredObject | undefined {
    return this.#entries.get(key)?.object;
  }

  set(object: StoredObject, bytes: number): void {
    this.delete(object.key);
    if (bytes > this.#bytesMax) return;
    this.#entries.set(object.key, { object, bytes });
    this.#bytes += bytes;
    for (const key of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax && this.#entries.size <= this.#entriesMax) break;
      this.delete(key);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
