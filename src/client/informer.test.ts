import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KindAddress, KubeList, KubeObject } from '../api/object.ts';
import { FakeClock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import type { Change } from './cache.ts';
import { createClient } from './create-client.ts';
import { createInformer, retryMaxMs } from './informer.ts';
import type { ApiRequest, ApiResponse, WatchEvent } from './transport.ts';

const widget: KindAddress = {
  group: 'test',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};

function object(name: string, resourceVersion: number, uid = name): KubeObject {
  return { metadata: { namespace: 'default', name, uid, resourceVersion: String(resourceVersion) } };
}

/** An API server of one kind whose watches the test feeds and ends. */
class FakeServer {
  items: KubeObject[] = [];
  resourceVersion = 1;
  requests: ApiRequest[] = [];
  isDown = false;
  pageItems = Number.POSITIVE_INFINITY;
  #streams = new Set<{ push: (event: WatchEvent | 'end' | Error) => void }>();

  transport = async (request: ApiRequest): Promise<ApiResponse> => {
    this.requests.push(request);
    if (this.isDown) throw new StatusError('ServiceUnavailable', 'down');
    if (request.query.get('watch')) return { code: 200, headers: {}, kind: 'watch', events: this.#open() };
    const start = Number(request.query.get('continue') ?? 0);
    const rest = this.items.length - start - this.pageItems;
    const list: KubeList = {
      apiVersion: 'test/v1',
      kind: 'WidgetList',
      metadata: {
        resourceVersion: String(this.resourceVersion),
        ...(rest > 0 && { continue: String(start + this.pageItems) }),
      },
      items: this.items.slice(start, start + this.pageItems),
    };
    return { code: 200, headers: {}, kind: 'object', object: list };
  };

  get lists() {
    return this.requests.filter((request) => !request.query.get('watch'));
  }

  get watches() {
    return this.requests.filter((request) => request.query.get('watch'));
  }

  send(event: WatchEvent | 'end' | Error): void {
    for (const stream of [...this.#streams]) stream.push(event);
  }

  async *#open(): AsyncGenerator<WatchEvent> {
    const queue: (WatchEvent | 'end' | Error)[] = [];
    let wake = () => {};
    const stream = {
      push: (event: WatchEvent | 'end' | Error) => {
        queue.push(event);
        wake();
      },
    };
    this.#streams.add(stream);
    try {
      for (;;) {
        const event = queue.shift();
        if (event === 'end') return;
        if (event instanceof Error) throw event;
        if (event) yield event;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.#streams.delete(stream);
    }
  }
}

function setUp(server = new FakeServer()) {
  const clock = new FakeClock();
  const changes: string[] = [];
  const stop = new AbortController();
  const informer = createInformer({
    client: createClient(server.transport),
    kind: widget,
    clock,
    log: silentLog,
    random: () => 0,
    indexers: { uid: (item) => [item.metadata?.uid ?? ''] },
    onChange: (change: Change<KubeObject>) => {
      changes.push(`${change.type} ${change.key}@${change.object.metadata?.resourceVersion}`);
    },
  });
  informer.start(stop.signal);
  return { server, clock, changes, stop, informer };
}

test('an informer lists all pages, then watches from the resourceVersion of the list', async () => {
  const server = new FakeServer();
  server.items = [object('a', 1), object('b', 2), object('c', 3)];
  server.resourceVersion = 3;
  server.pageItems = 2;
  const { informer, clock, changes } = setUp(server);
  await informer.hasSynced();
  await clock.advance(0);
  assert.equal(server.lists.length, 2);
  assert.equal(server.watches[0]?.query.get('resourceVersion'), '3');
  assert.equal(server.watches[0]?.query.get('allowWatchBookmarks'), 'true');
  assert.deepEqual(changes, ['added default/a@1', 'added default/b@2', 'added default/c@3']);
});

test('very many objects are taken in page by page, with turns for others in between', async () => {
  const server = new FakeServer();
  server.items = Array.from({ length: 1700 }, (_, index) => object(`w${index}`, index + 1));
  server.resourceVersion = 1700;
  server.pageItems = 500;
  const { informer, changes } = setUp(server);
  const seen = new Set<number>();
  let isSynced = false;
  void informer.hasSynced().then(() => {
    isSynced = true;
  });
  while (!isSynced) {
    seen.add(changes.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(changes.length, 1700);
  assert.ok(seen.has(500) && seen.has(1000), [...seen].join());
});

test('an informer follows the watch and keeps its indices', async () => {
  const { server, informer, clock, changes } = setUp();
  await informer.hasSynced();
  await clock.advance(0);
  server.send({ type: 'ADDED', object: object('a', 2, 'u1') });
  server.send({ type: 'MODIFIED', object: object('a', 3, 'u1') });
  await clock.advance(0);
  assert.equal(informer.byIndex('uid', 'u1').length, 1);
  server.send({ type: 'DELETED', object: object('a', 4, 'u1') });
  await clock.advance(0);
  assert.deepEqual(changes, ['added default/a@2', 'modified default/a@3', 'deleted default/a@4']);
  assert.equal(informer.get('default/a'), undefined);
  assert.equal(informer.byIndex('uid', 'u1').length, 0);
  assert.throws(() => informer.byIndex('colour', 'red'), /no index "colour"; there are: uid/);
});

test('after a lost connection an informer resumes where it was, without a list and without repeats', async () => {
  const { server, informer, clock, changes } = setUp();
  await informer.hasSynced();
  await clock.advance(0);
  server.send({ type: 'ADDED', object: object('a', 2) });
  server.send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } });
  await clock.advance(0);
  server.isDown = true;
  server.send(new StatusError('ServiceUnavailable', 'link lost'));
  await clock.advance(3_600_000);
  const attempts = server.watches.length;
  assert.ok(attempts > 3_600_000 / retryMaxMs / 2 && attempts <= 3_600_000 / retryMaxMs + 10, `${attempts}`);
  server.isDown = false;
  await clock.advance(retryMaxMs);
  assert.equal(server.lists.length, 1);
  assert.equal(server.watches.at(-1)?.query.get('resourceVersion'), '9');
  server.send({ type: 'ADDED', object: object('a', 2) });
  server.send({ type: 'ADDED', object: object('b', 10) });
  await clock.advance(0);
  assert.deepEqual(changes, ['added default/a@2', 'added default/b@10']);
});

test('after a 410 an informer lists anew and tells what it missed, deletions and re-creations too', async () => {
  const server = new FakeServer();
  server.items = [object('gone', 1), object('kept', 1), object('changed', 1), object('remade', 1, 'old')];
  const { informer, clock, changes } = setUp(server);
  await informer.hasSynced();
  await clock.advance(0);
  changes.length = 0;
  server.items = [object('kept', 1), object('changed', 5), object('remade', 6, 'new')];
  server.resourceVersion = 7;
  const expired = new StatusError('Expired', 'too old resource version: 1 (4)').toStatus();
  server.send({ type: 'ERROR', object: expired as unknown as KubeObject });
  await clock.advance(1000);
  assert.deepEqual(changes, [
    'deleted default/gone@1',
    'modified default/changed@5',
    'deleted default/remade@1',
    'added default/remade@6',
  ]);
  assert.equal(server.watches.at(-1)?.query.get('resourceVersion'), '7');
});

test('a server that ends every watch at once is asked ever more rarely', async () => {
  const { server, informer, clock } = setUp();
  await informer.hasSynced();
  for (let second = 0; second < 600; second++) {
    await clock.advance(1000);
    server.send('end');
  }
  assert.ok(server.watches.length < 80, `${server.watches.length} watches in 600 s`);
  assert.equal(server.lists.length, 1);
});

test('a failing handler keeps no change from the others', async () => {
  const { server, informer, clock, changes } = setUp();
  informer.onEvent(() => {
    throw new Error('broken handler');
  });
  await informer.hasSynced();
  await clock.advance(0);
  server.send({ type: 'ADDED', object: object('a', 2) });
  server.send({ type: 'ADDED', object: object('b', 3) });
  await clock.advance(0);
  assert.deepEqual(changes, ['added default/a@2', 'added default/b@3']);
});

test('a late handler first hears what is in the cache already', async () => {
  const server = new FakeServer();
  server.items = [object('a', 1)];
  const { informer } = setUp(server);
  await informer.hasSynced();
  const heard: string[] = [];
  informer.onEvent((change) => heard.push(`${change.type} ${change.key}`));
  assert.deepEqual(heard, ['added default/a']);
});

test('an informer that is stopped before its first list says so to those who wait', async () => {
  const server = new FakeServer();
  server.isDown = true;
  const { informer, stop } = setUp(server);
  const waiting = informer.hasSynced();
  stop.abort();
  await assert.rejects(waiting, /stopped before its first list/);
});
