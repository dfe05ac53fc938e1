import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { openStore } from './open.ts';
import type { StoreOptions } from './options.ts';
import type { Store } from './store.ts';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(t: TestContext, options: Partial<StoreOptions> = {}): Store {
  const store = openStore({ path: ':memory:', ...options });
  t.after(() => store.close());
  return store;
}

test('an empty store is at revision 1 and lists nothing', (t) => {
  const store = open(t);
  assert.equal(store.revision(), 1);
  assert.deepEqual(store.list('/'), { items: [], revision: 1, remaining: 0 });
  assert.equal(store.get('/a'), undefined);
});

test('every change has its own revision, which the object carries', async (t) => {
  const store = open(t);
  const created = await store.create('/a', { n: 1 });
  assert.deepEqual(created, { key: '/a', revision: 2, value: { n: 1 } });
  const updated = await store.update('/a', { n: 2 }, created.revision);
  assert.equal(updated.revision, 3);
  assert.deepEqual(store.get('/a'), { key: '/a', revision: 3, value: { n: 2 } });
  const deleted = await store.delete('/a', 3);
  assert.deepEqual(deleted, { revision: 4, last: { key: '/a', revision: 3, value: { n: 2 } } });
  assert.equal(store.get('/a'), undefined);
});

test('a wrong expectation is refused by its reason and changes nothing', async (t) => {
  const store = open(t);
  const { revision } = await store.create('/a', { n: 1 });
  await assert.rejects(store.create('/a', {}), (error) => isStatus(error, 'AlreadyExists'));
  await assert.rejects(store.update('/a', {}, revision + 1), (error) => isStatus(error, 'Conflict'));
  await assert.rejects(store.delete('/a', revision - 1), (error) => isStatus(error, 'Conflict'));
  await assert.rejects(store.update('/b', {}, 1), (error) => isStatus(error, 'NotFound'));
  await assert.rejects(store.delete('/b'), (error) => isStatus(error, 'NotFound'));
  assert.equal(store.revision(), revision);
});

test('of writers that race in one batch the first wins and only the others fail', async (t) => {
  const store = open(t);
  const { revision } = await store.create('/a', { by: 'nobody' });
  const results = await Promise.allSettled([
    store.update('/a', { by: 'first' }, revision),
    store.update('/a', { by: 'second' }, revision),
    store.create('/b', {}),
    store.create('/b', {}),
    store.delete('/b'),
    store.create('/b', { again: true }),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  assert.deepEqual(store.get('/a')?.value, { by: 'first' });
  assert.deepEqual(store.get('/b')?.value, { again: true });
  assert.equal(store.revision(), revision + 4);
});

test('a list is in byte order and can be read in pages', async (t) => {
  const store = open(t);
  const keys = ['/p/b', '/p/a/x', '/p/a', '/p/é', '/p/a-x', '/q/a', '/p/Z', '/p'];
  for (const key of keys) await store.create(key, { key });
  const expected = keys
    .filter((key) => key.startsWith('/p/'))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(
    store.list('/p/').items.map(({ key }) => key),
    expected,
  );
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = store.list('/p/', { limit: 2, ...(after !== undefined && { after }) });
    seen.push(...page.items.map(({ key }) => key));
    assert.equal(page.remaining, expected.length - seen.length);
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(seen, expected);
});

test('a later page of a list can be read as it was at the first', async (t) => {
  const store = open(t);
  for (const name of ['a', 'b', 'c', 'd']) await store.create(`/p/${name}`, { name });
  const first = store.list('/p/', { limit: 2 });
  await store.delete('/p/c');
  await store.create('/p/bb', {});
  await store.update('/p/d', { name: 'changed' }, store.get('/p/d')!.revision);
  const second = store.list('/p/', { after: first.next!, atRevision: first.revision });
  assert.deepEqual(
    second.items.map(({ value }) => value),
    [{ name: 'c' }, { name: 'd' }],
  );
  assert.equal(second.revision, first.revision);
});

test('reading a compacted past is Expired, and a future one a Timeout that says so', async (t) => {
  const store = open(t);
  await store.create('/a', {});
  await store.create('/b', {});
  store.compact(3);
  assert.throws(
    () => store.list('/', { atRevision: 2 }),
    (error) => isStatus(error, 'Expired'),
  );
  assert.throws(
    () => store.watch('/', { fromRevision: 2 }),
    (error) => isStatus(error, 'Expired') && error.message === 'too old resource version: 2 (3)',
  );
  assert.throws(
    () => store.watch('/', { fromRevision: 99 }),
    (error) => isStatus(error, 'Timeout') && error.details?.causes?.[0]?.reason === 'ResourceVersionTooLarge',
  );
  assert.equal(store.list('/', { atRevision: 3 }).items.length, 2);
});

test('a reopened store goes on where it was, also when all history was compacted', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  const first = openStore({ path });
  await first.create('/a', { n: 1 });
  await first.create('/b', {});
  await first.delete('/b');
  first.compact(first.revision());
  const swept = first.create('/c', {});
  await swept;
  await new Promise((resolve) => setImmediate(resolve));
  await first.close();
  const second = open(t, { path });
  assert.equal(second.revision(), 5);
  assert.deepEqual(second.get('/a')?.value, { n: 1 });
  assert.equal((await second.delete('/c')).revision, 6);
});

test('a value is kept as JSON, apart from what its writer does with it later', async (t) => {
  const store = open(t);
  const mine = { list: [1], gone: undefined };
  await store.create('/a', mine);
  mine.list.push(2);
  assert.deepEqual(store.get('/a')?.value, { list: [1] });
});

test('what is handed out under test cannot be changed in place', async (t) => {
  const store = open(t, { cacheEntriesMax: 1 });
  const { value } = await store.create('/a', { metadata: { labels: {} } });
  const labels = (value as { metadata: { labels: Record<string, string> } }).metadata.labels;
  assert.throws(() => {
    labels.a = 'b';
  }, TypeError);
});

test('too large a value and too many waiting writes are refused', async (t) => {
  const store = open(t, { valueBytesMax: 100, writeQueueMax: 3 });
  await assert.rejects(store.create('/a', { text: 'é'.repeat(60) }), (error) =>
    isStatus(error, 'RequestEntityTooLarge'),
  );
  const results = await Promise.allSettled([1, 2, 3, 4].map((n) => store.create(`/${n}`, {})));
  const refused = results.filter((result) => result.status === 'rejected');
  assert.equal(refused.length, 1);
  assert.ok(isStatus(refused[0]!.reason, 'TooManyRequests'));
  assert.equal(refused[0]!.reason.details?.retryAfterSeconds, 1);
  await store.create('/4', {});
});

test('closing commits what waits; a closed store refuses all else', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  const store = openStore({ path });
  const waiting = store.create('/a', {});
  await store.close();
  await store.close();
  await waiting;
  await assert.rejects(store.create('/b', {}), (error) => isStatus(error, 'ServiceUnavailable'));
  assert.throws(
    () => store.get('/a'),
    (error) => isStatus(error, 'ServiceUnavailable'),
  );
  assert.ok(open(t, { path }).get('/a'));
});
