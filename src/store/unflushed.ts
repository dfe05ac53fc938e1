import type { KeyRange, KeyRevision } from './history.ts';
import type { StoredObject } from './store.ts';

/** The keys of the tables, which hold what is not durable yet too. */
interface Tables {
  revisionOf(key: string): number | undefined;
  keys(range: KeyRange, limit: number): KeyRevision[];
  count(range: KeyRange): number;
}

/** What keys held whose newest change is committed but not durable: reads show that, in place of the tables' newer state. */
export class Unflushed {
  #before = new Map<string, StoredObject | undefined>();

  get isEmpty(): boolean {
    return this.#before.size === 0;
  }

  /** `previous` is what the key held, if anything; of several changes of one key the first one's counts. */
  add(key: string, previous: StoredObject | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, previous);
  }

  clear(): void {
    this.#before.clear();
  }

  has(key: string): boolean {
    return this.#before.has(key);
  }

  get(key: string): StoredObject | undefined {
    return this.#before.get(key);
  }

  /** The durable keys in `range`, in byte order; a negative `limit` means all. */
  keys(tables: Tables, range: KeyRange, limit: number): KeyRevision[] {
    if (this.isEmpty) return tables.keys(range, limit);
    const changed = this.#changedIn(range);
    const wanted = limit < 0 ? -1 : limit + changed.length;
    const rows = tables.keys(range, wanted);
    // Beyond the last row of a full page the tables have not been read.
    const last = rows.length === wanted ? rows.at(-1)?.key : undefined;
    const unchanged = rows.filter(({ key }) => !this.#before.has(key));
    const restored = changed
      .filter(([key, before]) => before && (last === undefined || isBefore(key, last) || key === last))
      .map(([key, before]) => ({ key, revision: before!.revision }));
    const all = [...unchanged, ...restored];
    if (restored.length > 0) all.sort((a, b) => (isBefore(a.key, b.key) ? -1 : 1));
    return limit < 0 ? all : all.slice(0, limit);
  }

  count(tables: Tables, range: KeyRange): number {
    let count = tables.count(range);
    for (const [key, before] of this.#changedIn(range)) {
      const isThere = tables.revisionOf(key) !== undefined;
      if (isThere && !before) count -= 1;
      else if (!isThere && before) count += 1;
    }
    return count;
  }

  #changedIn({ from, before }: KeyRange): [string, StoredObject | undefined][] {
    return [...this.#before].filter(([key]) => !isBefore(key, from) && isBefore(key, before));
  }
}

/** In the order of UTF-8, as SQLite compares. */
function isBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}
