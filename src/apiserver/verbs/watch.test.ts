import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import type { Transport } from '../../client/transport.ts';
import { configMap, mergePatch, openWatch, pod, send, take } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

let running: TestServer;
let api: Transport;
const clock = new FakeClock();
const pods = '/api/v1/namespaces/default/pods';

before(async () => {
  running = await startTestServer({ listens: false, clock });
  api = running.server.transport();
});
after(() => running.close());

/** A namespace of its own for each test. */
async function newMaps(name: string): Promise<string> {
  await send(api, 'POST /api/v1/namespaces', { body: { metadata: { name } } });
  return `/api/v1/namespaces/${name}/configmaps`;
}

const labelled = (name: string, app: string) => ({ ...configMap(name), metadata: { name, labels: { app } } });

test('a watch without resourceVersion begins with what there is', async () => {
  const maps = await newMaps('begin');
  await send(api, `POST ${maps}`, { body: configMap('one') });
  await send(api, `POST ${maps}`, { body: configMap('two') });
  for (const query of ['watch=true', 'watch=1&resourceVersion=0']) {
    const events = await openWatch(api, `GET ${maps}?${query}`);
    assert.deepEqual(await take(events, 2), ['ADDED one', 'ADDED two']);
    await events.return?.();
  }
});

test('a watch from a resourceVersion sees every change after it, in order', async () => {
  const maps = await newMaps('follow');
  const { object } = await send(api, `GET ${maps}`);
  await send(api, `POST ${maps}`, { body: configMap('one') });
  const events = await openWatch(
    api,
    `GET ${maps}?watch=true&resourceVersion=${object.metadata!.resourceVersion}`,
  );
  await mergePatch(api, `${maps}/one`, { data: { a: '1' } });
  await send(api, `DELETE ${maps}/one`);
  assert.deepEqual(await take(events, 3), ['ADDED one', 'MODIFIED one', 'DELETED one']);
  await events.return?.();
});

test('a watch that is closed and begun again where it ended misses nothing and repeats nothing', async () => {
  const maps = await newMaps('restarted');
  const first = await openWatch(api, `GET ${maps}?watch=true`);
  await send(api, `POST ${maps}`, { body: configMap('one') });
  const { value } = await first.next();
  await first.return?.();
  await mergePatch(api, `${maps}/one`, { data: { a: '1' } });
  await send(api, `DELETE ${maps}/one`);
  const { resourceVersion } = value.object.metadata;
  const second = await openWatch(api, `GET ${maps}?watch=true&resourceVersion=${resourceVersion}`);
  assert.deepEqual(await take(second, 2), ['MODIFIED one', 'DELETED one']);
  await second.return?.();
});

test('of several watchers with selectors of their own each sees what it selects, and all of it', async () => {
  const maps = await newMaps('several');
  const watches = await Promise.all(
    ['app%3Da', 'app%3Db', 'app+in+(a,b)'].map((selector) =>
      openWatch(api, `GET ${maps}?watch=true&labelSelector=${selector}`),
    ),
  );
  await send(api, `POST ${maps}`, { body: labelled('first', 'a') });
  await send(api, `POST ${maps}`, { body: labelled('second', 'b') });
  await mergePatch(api, `${maps}/first`, { data: { x: 'y' } });
  await send(api, `DELETE ${maps}/first`);
  await send(api, `DELETE ${maps}/second`);
  const [ofA, ofB] = [
    ['ADDED first', 'MODIFIED first', 'DELETED first'],
    ['ADDED second', 'DELETED second'],
  ];
  assert.deepEqual(await take(watches[0]!, 3), ofA);
  assert.deepEqual(await take(watches[1]!, 2), ofB);
  assert.deepEqual(await take(watches[2]!, 5), [
    'ADDED first',
    'ADDED second',
    'MODIFIED first',
    'DELETED first',
    'DELETED second',
  ]);
  for (const watch of watches) await watch.return?.();
});

test('an object that leaves a selection is DELETED for its watcher, one that enters is ADDED', async () => {
  const maps = await newMaps('selected');
  const events = await openWatch(api, `GET ${maps}?watch=true&labelSelector=app%3Dweb`);
  await send(api, `POST ${maps}`, { body: labelled('a', 'other') });
  await mergePatch(api, `${maps}/a`, { metadata: { labels: { app: 'web' } } });
  await mergePatch(api, `${maps}/a`, { data: { x: 'y' } });
  const left = await mergePatch(api, `${maps}/a`, { metadata: { labels: { app: 'other' } } });
  assert.deepEqual(await take(events, 2), ['ADDED a', 'MODIFIED a']);
  const { value } = await events.next();
  assert.equal(value.type, 'DELETED');
  assert.equal(value.object.metadata.labels.app, 'web', 'the last state that matched');
  assert.equal(value.object.metadata.resourceVersion, left.object.metadata!.resourceVersion);
  await send(api, `DELETE ${maps}/a`);
  await send(api, `POST ${maps}`, { body: labelled('b', 'web') });
  assert.deepEqual(await take(events, 1), ['ADDED b'], 'deleting what is not selected is no event');
  await events.return?.();
});

test('a field selector chooses what a list and a watch show', async () => {
  await send(api, `POST ${pods}`, { body: pod('on-n1', { nodeName: 'n1' }) });
  await send(api, `POST ${pods}`, { body: pod('on-n2', { nodeName: 'n2' }) });
  const { object } = await send(api, `GET ${pods}?fieldSelector=spec.nodeName%3Dn1`);
  assert.deepEqual(
    object.items!.map(({ metadata }) => metadata!.name),
    ['on-n1'],
  );
  const events = await openWatch(api, `GET ${pods}?watch=true&fieldSelector=metadata.name%3Don-n2`);
  assert.deepEqual(await take(events, 1), ['ADDED on-n2']);
  await events.return?.();
  assert.equal((await send(api, `GET ${pods}?fieldSelector=spec.nonsense%3D1`)).code, 400);
});

test('a watch of one name does not see names that begin with it', async () => {
  const maps = await newMaps('prefixes');
  const events = await openWatch(api, `GET ${maps}?watch=true&fieldSelector=metadata.name%3Dweb`);
  await send(api, `POST ${maps}`, { body: configMap('web-2') });
  await send(api, `POST ${maps}`, { body: configMap('web') });
  assert.deepEqual(await take(events, 1), ['ADDED web']);
  await events.return?.();
});

test('a quiet watch that asked for bookmarks gets them, at a revision from which it can go on', async () => {
  const maps = await newMaps('quiet');
  const events = await openWatch(api, `GET ${maps}?watch=true&allowWatchBookmarks=true`);
  const next = events.next();
  await send(api, 'POST /api/v1/namespaces/default/configmaps', { body: configMap('elsewhere') });
  await clock.advance(61_000);
  const { value } = await next;
  assert.equal(value.type, 'BOOKMARK');
  assert.equal(value.object.kind, 'ConfigMap');
  assert.equal(Number(value.object.metadata.resourceVersion), running.store.revision());
  await events.return?.();
});

test('sendInitialEvents ends what there is with a marked bookmark', async () => {
  const maps = await newMaps('initial');
  await send(api, `POST ${maps}`, { body: configMap('one') });
  const query =
    'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const events = await openWatch(api, `GET ${maps}?${query}`);
  assert.deepEqual(await take(events, 1), ['ADDED one']);
  const { value } = await events.next();
  assert.equal(value.type, 'BOOKMARK');
  assert.equal(value.object.metadata.annotations['k8s.io/initial-events-end'], 'true');
  await events.return?.();
  const wrong = await send(api, `GET ${maps}?watch=true&sendInitialEvents=true`);
  assert.equal(wrong.code, 422);
});

test('timeoutSeconds ends a watch', async () => {
  const maps = await newMaps('timed');
  const events = await openWatch(api, `GET ${maps}?watch=true&timeoutSeconds=5`);
  const next = events.next();
  await clock.advance(5_000);
  assert.deepEqual(await next, { value: undefined, done: true });
});

test('a client that goes away ends its watch', async () => {
  const maps = await newMaps('gone');
  const client = new AbortController();
  const events = await openWatch(api, `GET ${maps}?watch=true`, { signal: client.signal });
  const next = events.next();
  client.abort();
  assert.equal((await next).done, true);
});

test('a watch from a revision that is compacted away is told to list again', async () => {
  const maps = await newMaps('old');
  for (const name of ['a', 'b', 'c']) await send(api, `POST ${maps}`, { body: configMap(name) });
  running.store.compact(running.store.revision());
  const events = await openWatch(api, `GET ${maps}?watch=true&resourceVersion=1`);
  const { value } = await events.next();
  assert.equal(value.type, 'ERROR');
  assert.equal(value.object.code, 410);
  assert.equal(value.object.reason, 'Expired');
  assert.equal((await events.next()).done, true);
});

test('a watcher that falls too far behind is told to list again', async () => {
  const maps = await newMaps('slow');
  const events = await openWatch(api, `GET ${maps}?watch=true`);
  const make = (index: number) => send(api, `POST ${maps}`, { body: configMap(`m-${index}`) });
  await make(0);
  assert.deepEqual(await take(events, 1), ['ADDED m-0']);
  await Promise.all(Array.from({ length: 1700 }, (_, index) => make(index + 1)));
  running.store.compact(running.store.revision());
  // What was read ahead may still come; then the watch ends rather than leaving something out.
  let last: { type: string; object: { code?: number } } | undefined;
  for (let next = await events.next(); !next.done; next = await events.next())
    last = next.value as typeof last;
  assert.equal(last?.type, 'ERROR');
  assert.equal(last?.object.code, 410);
});

test('a watch from the future, as after a restore, is told to list again', async () => {
  const events = await openWatch(api, `GET ${pods}?watch=true&resourceVersion=999999`);
  const { value } = await events.next();
  assert.equal(value.object.code, 410);
});

test('a list comes in pages of one snapshot', async () => {
  const maps = await newMaps('paged');
  for (const name of ['a', 'b', 'c', 'd', 'e']) await send(api, `POST ${maps}`, { body: configMap(name) });
  const first = (await send(api, `GET ${maps}?limit=2`)).object;
  assert.equal(first.metadata!.remainingItemCount, 3);
  await send(api, `DELETE ${maps}/c`);
  await send(api, `POST ${maps}`, { body: configMap('bb') });
  const second = (await send(api, `GET ${maps}?limit=2&continue=${first.metadata!.continue}`)).object;
  assert.deepEqual(
    second.items!.map(({ metadata }) => metadata!.name),
    ['c', 'd'],
  );
  assert.equal(second.metadata!.resourceVersion, first.metadata!.resourceVersion);
  const last = (await send(api, `GET ${maps}?limit=2&continue=${second.metadata!.continue}`)).object;
  assert.deepEqual(
    last.items!.map(({ metadata }) => metadata!.name),
    ['e'],
  );
  assert.equal(last.metadata!.continue, undefined);
});

test('a page with a selector is as long as asked, as far as there are objects', async () => {
  const maps = await newMaps('filtered');
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await send(api, `POST ${maps}`, { body: labelled(name, name < 'c' ? 'no' : 'yes') });
  }
  const first = (await send(api, `GET ${maps}?limit=2&labelSelector=app%3Dyes`)).object;
  assert.deepEqual(
    first.items!.map(({ metadata }) => metadata!.name),
    ['c', 'd'],
  );
  const query = `limit=2&labelSelector=app%3Dyes&continue=${first.metadata!.continue}`;
  const second = (await send(api, `GET ${maps}?${query}`)).object;
  assert.deepEqual(
    second.items!.map(({ metadata }) => metadata!.name),
    ['e'],
  );
  assert.equal(second.metadata!.continue, undefined);
});

test('a page that is asked for after compaction is Expired; a token that is none is a bad request', async () => {
  const maps = await newMaps('expired');
  for (const name of ['a', 'b', 'c']) await send(api, `POST ${maps}`, { body: configMap(name) });
  const first = (await send(api, `GET ${maps}?limit=1`)).object;
  await send(api, `POST ${maps}`, { body: configMap('d') });
  running.store.compact(running.store.revision());
  const { code, object } = await send(api, `GET ${maps}?limit=1&continue=${first.metadata!.continue}`);
  assert.equal(code, 410);
  assert.equal(object.reason, 'Expired');
  assert.equal((await send(api, `GET ${maps}?continue=nonsense`)).code, 400);
});

test('resourceVersionMatch Exact reads the past, NotOlderThan the present', async () => {
  const maps = await newMaps('past');
  const { object } = await send(api, `POST ${maps}`, { body: configMap('a') });
  await send(api, `POST ${maps}`, { body: configMap('b') });
  const at = `resourceVersion=${object.metadata!.resourceVersion}`;
  const past = (await send(api, `GET ${maps}?${at}&resourceVersionMatch=Exact`)).object;
  assert.deepEqual(
    past.items!.map(({ metadata }) => metadata!.name),
    ['a'],
  );
  const present = (await send(api, `GET ${maps}?${at}&resourceVersionMatch=NotOlderThan`)).object;
  assert.equal(present.items!.length, 2);
  const future = await send(api, `GET ${maps}?resourceVersion=999999&resourceVersionMatch=NotOlderThan`);
  assert.equal(future.code, 504);
  assert.match(future.object.message, /^Timeout: Too large resource version: 999999, current: \d+$/);
  assert.equal((await send(api, `GET ${maps}?resourceVersionMatch=Exact`)).code, 422);
});

test('lists and watches come as tables and as metadata only', async () => {
  const maps = await newMaps('shown');
  await send(api, `POST ${maps}`, { body: configMap('one', { data: { a: 'b' } }) });
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
  const { object } = await send(api, `GET ${maps}`, { headers: table });
  assert.equal(object.kind, 'Table');
  assert.equal(object.rows[0].cells[0], 'one');
  assert.equal(object.rows[0].object.kind, 'PartialObjectMetadata');
  const events = await openWatch(api, `GET ${maps}?watch=true`, { headers: table });
  const { value } = await events.next();
  assert.equal(value.object.kind, 'Table');
  assert.equal(value.object.rows.length, 1);
  await events.return?.();
  const metadata = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
  const partial = (await send(api, `GET ${maps}`, { headers: metadata })).object;
  assert.equal(partial.kind, 'PartialObjectMetadataList');
  assert.equal((partial.items![0] as { data?: object }).data, undefined);
  const refused = await send(api, `GET ${maps}`, { headers: { accept: 'text/html' } });
  assert.equal(refused.code, 406);
});
