import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { openStore } from './open.ts';
import type { Store, StoredObject, StoreEvent } from './store.ts';

/** The plainest store that could be right: all states and all events, for ever. */
class Model {
  states: Map<string, StoredObject>[] = [new Map(), new Map()];
  events: StoreEvent[] = [];

  get revision(): number {
    return this.states.length - 1;
  }

  get now(): Map<string, StoredObject> {
    return this.states.at(-1)!;
  }

  put(key: string, value: object): void {
    const revision = this.states.length;
    const previous = this.now.get(key)?.value;
    this.events.push({ type: 'put', created: !previous, key, revision, value, previous });
    this.states.push(new Map(this.now).set(key, { key, revision, value }));
  }

  delete(key: string): void {
    const { value } = this.now.get(key)!;
    this.events.push({
      type: 'delete',
      created: false,
      key,
      revision: this.states.length,
      value,
      previous: value,
    });
    const next = new Map(this.now);
    next.delete(key);
    this.states.push(next);
  }

  list(prefix: string, revision: number): StoredObject[] {
    const found = [...this.states[revision]!.values()].filter(({ key }) => key.startsWith(prefix));
    return found.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }
}

/** mulberry32: small, seeded, good enough to choose what to do next. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const prefixes = ['/', '/a/', '/a/x1', '/b/', '/none/'];
const steps = 1500;

async function write(store: Store, model: Model, pick: (below: number) => number): Promise<void> {
  const key = `/${'abc'[pick(3)]}/${'xyz'[pick(3)]}${pick(4)}`;
  const existing = model.now.get(key);
  const value = { n: pick(1000) };
  const wrong = pick(5) === 0;
  const verb = pick(3);
  if (verb === 0) {
    const created = store.create(key, value);
    if (existing) return assert.rejects(created, (error) => isStatus(error, 'AlreadyExists'));
    model.put(key, value);
    assert.deepEqual(await created, model.now.get(key));
    return;
  }
  const expected = (existing?.revision ?? 5) + (wrong ? 1 : 0);
  const changed = verb === 1 ? store.update(key, value, expected) : store.delete(key, expected);
  if (!existing) return assert.rejects(changed, (error) => isStatus(error, 'NotFound'));
  if (wrong) return assert.rejects(changed, (error) => isStatus(error, 'Conflict'));
  if (verb === 1) model.put(key, value);
  else model.delete(key);
  await changed;
}

function checkList(store: Store, model: Model, compacted: number, pick: (below: number) => number): void {
  const prefix = prefixes[pick(prefixes.length)]!;
  const atRevision = Math.max(1, model.revision - pick(80));
  if (atRevision < compacted) {
    const list = () => store.list(prefix, { atRevision });
    assert.throws(list, (error) => isStatus(error, 'Expired'));
    return;
  }
  const limit = 1 + pick(7);
  const expected = model.list(prefix, atRevision);
  const items: StoredObject[] = [];
  let after: string | undefined;
  do {
    const page = store.list(prefix, { atRevision, limit, ...(after !== undefined && { after }) });
    items.push(...page.items);
    assert.equal(page.remaining, expected.length - items.length);
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(items, expected);
}

async function runModel(t: TestContext, seed: number): Promise<void> {
  t.diagnostic(`seed ${seed}`);
  const pick = random(seed);
  const model = new Model();
  const store = openStore({ path: ':memory:', watchBacklogMax: 20, cacheEntriesMax: 5 });
  const watches: { from: number; prefix: string; seen: StoreEvent[]; at(): number; done: Promise<void> }[] =
    [];
  let compacted = 0;
  const startWatch = () => {
    const from = Math.max(1, compacted, model.revision - pick(60));
    const prefix = prefixes[pick(prefixes.length)]!;
    const seen: StoreEvent[] = [];
    const watch = store.watch(prefix, { fromRevision: from });
    const follow = async () => {
      for await (const event of watch) {
        seen.push(event);
        if (pick(10) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    watches.push({ from, prefix, seen, at: () => watch.revision, done: follow() });
  };
  for (let step = 0; step < steps; step++) {
    await write(store, model, pick);
    assert.equal(store.revision(), model.revision);
    if (pick(4) === 0) checkList(store, model, compacted, pick);
    if (pick(40) === 0) startWatch();
    if (pick(60) === 0) {
      compacted = Math.max(compacted, model.revision - 40 - pick(40));
      store.compact(compacted);
    }
  }
  for (let turn = 0; turn < 10_000 && watches.some(({ at }) => at() < model.revision); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await store.close();
  for (const { from, prefix, seen, done } of watches) {
    await done;
    const expected = model.events.filter(({ key, revision }) => revision > from && key.startsWith(prefix));
    assert.deepEqual(seen, expected);
  }
}

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

for (const [index, name] of ['one', 'another', 'a third'].entries()) {
  test(`${name} random history reads, lists and watches as a plain model does`, (t) =>
    runModel(t, seed + index));
}
