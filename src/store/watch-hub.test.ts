import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { openStore } from './open.ts';
import type { StoreOptions } from './options.ts';
import type { Store, StoreEvent } from './store.ts';
import { WatchHub } from './watch-hub.ts';

function open(t: TestContext, options: Partial<StoreOptions> = {}): Store {
  const store = openStore({ path: ':memory:', ...options });
  t.after(() => store.close());
  return store;
}

async function take(events: AsyncIterator<StoreEvent>, count: number): Promise<StoreEvent[]> {
  const taken: StoreEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

test('a watch gives what was written, created, replaced and deleted', async (t) => {
  const store = open(t);
  const events = store.watch('/p/', { fromRevision: 1 })[Symbol.asyncIterator]();
  const live = take(events, 3);
  await store.create('/p/a', { n: 1 });
  await store.create('/q/a', {});
  await store.update('/p/a', { n: 2 }, 2);
  await store.delete('/p/a');
  const expected: StoreEvent[] = [
    { type: 'put', created: true, key: '/p/a', revision: 2, value: { n: 1 }, previous: undefined },
    { type: 'put', created: false, key: '/p/a', revision: 4, value: { n: 2 }, previous: { n: 1 } },
    { type: 'delete', created: false, key: '/p/a', revision: 5, value: { n: 2 }, previous: { n: 2 } },
  ];
  assert.deepEqual(await live, expected);
  const again = store.watch('/p/', { fromRevision: 2 })[Symbol.asyncIterator]();
  assert.deepEqual(await take(again, 2), expected.slice(1));
});

test('what concerns a watch no more than by its prefix does not wake it, and its revision goes on', async (t) => {
  const store = open(t);
  let asked = 0;
  const concerns = ({ value, previous }: StoreEvent) => {
    asked += 1;
    return [value, previous].some((each) => (each as { node?: number } | undefined)?.node === 1);
  };
  const watch = store.watch('/p/', { fromRevision: 1, concerns });
  const live = take(watch[Symbol.asyncIterator](), 3);
  await store.create('/p/a', { node: 1 });
  await store.create('/p/b', { node: 2 });
  await store.create('/q/c', { node: 1 });
  await store.update('/p/a', { node: 2 }, 2);
  await store.delete('/p/a');
  await store.create('/p/d', { node: 1 });
  assert.deepEqual(
    (await live).map(({ key, revision }) => `${key}@${revision}`),
    ['/p/a@2', '/p/a@5', '/p/d@7'],
  );
  assert.ok(asked < 20);
  const quiet = store.watch('/p/', { fromRevision: 7, concerns });
  const waiting = quiet[Symbol.asyncIterator]().next();
  await store.create('/p/e', { node: 2 });
  assert.equal(quiet.revision, 8, 'what a bookmark may say');
  await store.create('/p/f', { node: 1 });
  assert.equal((await waiting).value?.key, '/p/f');
});

test('a watch from disk gives the same events as one from memory', async (t) => {
  const store = open(t, { watchBacklogMax: 4 });
  const fromMemory = take(store.watch('/', { fromRevision: 1 })[Symbol.asyncIterator](), 60);
  for (let n = 0; n < 20; n++) {
    const { revision } = await store.create('/a', { n });
    await store.update('/a', { n: -n }, revision);
    await store.delete('/a');
  }
  const fromDisk = take(store.watch('/', { fromRevision: 1 })[Symbol.asyncIterator](), 60);
  assert.deepEqual(await fromDisk, await fromMemory);
});

test('a watch that catches up while writers go on misses nothing', async (t) => {
  const store = open(t, { watchBacklogMax: 8 });
  for (let n = 0; n < 600; n++) void store.create(`/early/${n}`, {});
  await store.create('/last-early', {});
  const writes = 1000;
  const watch = store.watch('/', { fromRevision: 1 })[Symbol.asyncIterator]();
  const write = async () => {
    for (let n = 0; n < writes; n++) await store.create(`/late/${n}`, {});
  };
  const [events] = await Promise.all([take(watch, 601 + writes), write()]);
  assert.deepEqual(
    events.map(({ revision }) => revision),
    Array.from({ length: 601 + writes }, (_, index) => index + 2),
  );
});

test('a consumer that falls behind compaction is ended with Expired', async (t) => {
  const store = open(t, { historyMax: 20, watchBacklogMax: 4 });
  const slow = store.watch('/', { fromRevision: 1 })[Symbol.asyncIterator]();
  const first = slow.next();
  await store.create('/first', {});
  await first;
  for (let n = 0; n < 50; n++) await store.create(`/${n}`, {});
  await assert.rejects(
    take(slow, 50),
    (error) => isStatus(error, 'Expired') && error.message.startsWith('too old resource version: 2 ('),
  );
});

test('an abort ends a waiting watch, and closing the store ends the others', async (t) => {
  const store = open(t);
  const stop = new AbortController();
  const aborted = store.watch('/', { fromRevision: 1, signal: stop.signal })[Symbol.asyncIterator]().next();
  const closed = store.watch('/', { fromRevision: 1 })[Symbol.asyncIterator]().next();
  stop.abort();
  assert.deepEqual(await aborted, { value: undefined, done: true });
  await store.close();
  assert.deepEqual(await closed, { value: undefined, done: true });
  const late = open(t).watch('/', { fromRevision: 1, signal: AbortSignal.abort() });
  assert.deepEqual(await late[Symbol.asyncIterator]().next(), { value: undefined, done: true });
});

test("a watch's revision says up to where everything was handed out", async (t) => {
  const store = open(t);
  const watch = store.watch('/p/', { fromRevision: 1 });
  const events = watch[Symbol.asyncIterator]();
  const first = events.next();
  await store.create('/other', {});
  assert.equal(watch.revision, 2);
  await store.create('/p/a', {});
  await store.create('/other2', {});
  await first;
  assert.equal(watch.revision, 3);
  const second = events.next();
  await store.create('/other3', {});
  assert.equal(watch.revision, 5);
  await store.create('/p/b', {});
  assert.equal((await second).value?.revision, 6);
});

test('all watchers of a change share its event', async (t) => {
  const store = open(t);
  const [one, two] = [1, 2].map(() => store.watch('/', { fromRevision: 1 })[Symbol.asyncIterator]().next());
  await store.create('/a', {});
  assert.equal((await one!).value, (await two!).value);
});

test('a write that is refused does not disturb the watches that wait', async (t) => {
  const store = open(t);
  await store.create('/a', {});
  const next = store.watch('/', { fromRevision: 2 })[Symbol.asyncIterator]().next();
  await assert.rejects(store.create('/a', {}));
  await store.create('/b', {});
  assert.equal((await next).value?.key, '/b');
});

test('recent events are kept in memory up to a count and a size; older ones come from disk', async () => {
  const written: StoreEvent[] = [];
  let diskReads = 0;
  const source = {
    revision: () => 1 + written.length,
    compacted: () => 0,
    events: (_prefix: string, after: number, to: number) => {
      diskReads += 1;
      return written.filter(({ revision }) => revision > after && revision <= to);
    },
  };
  const hub = new WatchHub(source, { recentMax: 30, recentBytesMax: 1000 });
  const publish = (bytes: number) => {
    const revision = source.revision() + 1;
    written.push({ type: 'put', created: true, key: `/${revision}`, revision, value: {} });
    hub.publish(written.slice(-1), [bytes]);
  };
  const readsFrom = async (fromRevision: number) => {
    diskReads = 0;
    const events = hub.watch('/', { fromRevision })[Symbol.asyncIterator]();
    const count = source.revision() - fromRevision;
    assert.deepEqual(await take(events, count), written.slice(-count));
    return diskReads;
  };
  for (let n = 0; n < 60; n++) publish(1);
  assert.equal(await readsFrom(source.revision() - 30), 0);
  assert.equal(await readsFrom(source.revision() - 41), 1);
  for (let n = 0; n < 20; n++) publish(200);
  assert.equal(await readsFrom(source.revision() - 5), 0);
  assert.equal(await readsFrom(source.revision() - 7), 1);
});

test('a watch for a value in a field sees what has it, had it or gets it, and nothing else looks at it', async (t) => {
  const store = open(t);
  let looks = 0;
  const read = (value: object) => (value as { at: string }).at;
  const watching = (value: string) =>
    store
      .watch('/p/', {
        fromRevision: 1,
        where: { read, value },
        concerns: () => {
          looks += 1;
          return true;
        },
      })
      [Symbol.asyncIterator]();
  const others = Array.from({ length: 100 }, (_, index) => watching(`other-${index}`).next());
  const here = watching('here');
  const seen = here.next();
  await store.create('/p/a', { at: 'here' });
  await store.create('/p/b', { at: 'there' });
  assert.equal((await seen).value.key, '/p/a');
  await store.update('/p/a', { at: 'there' }, store.get('/p/a')!.revision);
  assert.deepEqual((await here.next()).value.value, { at: 'there' }, 'it had it before');
  await store.update('/p/b', { at: 'here' }, store.get('/p/b')!.revision);
  await store.delete('/p/b');
  assert.deepEqual(
    [(await here.next()).value.type, (await here.next()).value.type],
    ['put', 'delete'],
    'it gets it, and goes with it',
  );
  // Once when it is woken and once when it reads.
  assert.ok(looks <= 8, `${looks} looks`);
  await store.close();
  await Promise.all(others);
});

test('a watch of one key hears of no other that begins alike', async (t) => {
  const store = open(t);
  const one = store.watch('/p/a', { fromRevision: 1 })[Symbol.asyncIterator]();
  const seen = one.next();
  await store.create('/p/ab', {});
  await store.create('/p/a', {});
  assert.equal((await seen).value.key, '/p/a');
});

test('watches that read what they missed leave others their turns', async (t) => {
  const store = open(t);
  const count = 2000;
  await Promise.all(Array.from({ length: count }, (_, index) => store.create(`/p/${index}`, {})));
  let turns = 0;
  let isCounting = true;
  const counting = () => {
    turns += 1;
    if (isCounting) setImmediate(counting);
  };
  setImmediate(counting);
  const concerns = ({ revision }: StoreEvent) => revision === count + 1;
  const { value } = await store.watch('/p/', { fromRevision: 1, concerns })[Symbol.asyncIterator]().next();
  isCounting = false;
  assert.equal(value.revision, count + 1);
  assert.ok(turns >= 4, `${turns} turns`);
});
