import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { isStatus } from '../base/errors.ts';
import { isRunning } from '../base/is-running.ts';
import { until } from '../base/until.ts';
import type { ContentStore } from './content-store.ts';
import { digestOf } from './digest.ts';
import { progressBytesMin } from './download.ts';
import { garbageCollect } from './garbage-collect.ts';
import type { Descriptor } from './manifest.ts';
import { mediaType } from './media-types.ts';
import { type PullOptions, pull } from './pull.ts';
import { chunkBytes, push } from './push.ts';
import { attemptsMax, type Fetch } from './registry-client.ts';
import { impatientClock as clock, putImage, serveRegistry, temporaryStore } from './testing.ts';

/** Bytes that don't repeat, the same every time. */
function noise(length: number, seed = 'noise'): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

interface Seen {
  method: string;
  path: string;
  range: string | undefined;
}

/** A registry's store with its server, an empty local store, and a fetch that notes what it is asked. */
async function start(t: TestContext) {
  const remote = await temporaryStore(t);
  const local = await temporaryStore(t);
  const { url } = await serveRegistry(t, { store: remote });
  const seen: Seen[] = [];
  const noting: Fetch = (address, init) => {
    const range = init.headers.Range ?? init.headers['Content-Range'];
    seen.push({ method: init.method, path: new URL(address).pathname, range });
    return fetch(address, init);
  };
  const blobsAsked = () =>
    seen.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/')).length;
  const get = (more: Partial<PullOptions> = {}) =>
    pull({ reference: 'app:1', registry: { url, fetch: noting }, into: local, clock, ...more });
  return { remote, local, url, seen, noting, get, blobsAsked };
}

/** Cuts the answers for blobs after so many bytes, for the first `times` of them. */
function cutting(bytes: number, times: number, inner: Fetch = fetch as Fetch): Fetch {
  return async (url, init) => {
    const response = await inner(url, init);
    if (init.method !== 'GET' || !url.includes('/blobs/') || !response.ok || times-- <= 0) return response;
    const reader = response.body!.getReader();
    let left = bytes;
    // Fails only when asked for more, so that what came before has been read.
    const cut = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const { value } = left > 0 ? await reader.read() : {};
          if (value) controller.enqueue(value.subarray(0, left));
          else if (left > 0) controller.close();
          else controller.error(new Error('the link went down'));
          left -= value?.length ?? 0;
        },
      },
      { highWaterMark: 0 },
    );
    const { status, ok, statusText, headers } = response;
    return { status, ok, statusText, headers, body: cut };
  };
}

async function partials(store: ContentStore): Promise<string[]> {
  return readdir(join(store.folder, 'partial'));
}

test('pull brings an image once; a second pull asks only for the manifest', async (t) => {
  const { remote, local, get, blobsAsked } = await start(t);
  const image = await putImage(remote, 'app:1', [noise(1000), noise(2000, 'b')]);
  const progress: number[] = [];
  const pulled = await get({ onProgress: ({ bytes, bytesTotal }) => progress.push(bytes / bytesTotal) });
  assert.deepEqual(pulled.descriptor, image);
  assert.deepEqual(await local.resolve('app:1'), image);
  assert.equal(await local.stat(digestOf(noise(2000, 'b'))), 2000);
  assert.equal(progress.at(-1), 1);
  assert.equal(blobsAsked(), 3);
  assert.equal((await get()).bytesFetched, 0);
  assert.equal(blobsAsked(), 3);
  assert.deepEqual(await partials(local), []);
});

test('a digest that is here needs no registry at all', async (t) => {
  const { remote, get, seen } = await start(t);
  const { digest } = await putImage(remote, 'app:1', [noise(1000)]);
  await get();
  seen.length = 0;
  await get({ reference: `app@${digest}` });
  assert.deepEqual(seen, []);
});

test('a broken download goes on where it stopped, within a pull', async (t) => {
  const { remote, local, get, noting, url, seen } = await start(t);
  const layer = noise(400_000);
  await putImage(remote, 'app:1', [layer]);
  const size = progressBytesMin + 1;
  await get({ registry: { url, fetch: cutting(size, 3, noting) } });
  const ranges = seen.filter((each) => each.path.endsWith(digestOf(layer))).map((each) => each.range);
  assert.ok(ranges.length > 1, 'the link did go down');
  assert.ok(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? '')));
  assert.equal(await local.stat(digestOf(layer)), 400_000);
});

test('a broken download goes on where it stopped, in a later pull', async (t) => {
  const { remote, local, get, noting, url, seen } = await start(t);
  const layer = noise(400_000);
  await putImage(remote, 'app:1', [layer]);
  await assert.rejects(
    get({ registry: { url, fetch: cutting(10_000, Number.POSITIVE_INFINITY, noting) } }),
    (error) => isStatus(error, 'ServiceUnavailable'),
  );
  const [partial] = (await partials(local)).filter((name) => name === digestOf(layer).slice(7));
  assert.ok(partial, 'what came is kept');
  const { size } = await stat(join(local.folder, 'partial', partial));
  assert.equal(size, attemptsMax * 10_000);
  seen.length = 0;
  await get();
  assert.equal(seen.find((each) => each.path.endsWith(digestOf(layer)))?.range, `bytes=${size}-`);
  assert.deepEqual(await partials(local), []);
});

test('a partial file of a process that died is taken over, a damaged one is not trusted', async (t) => {
  const { remote, local, get, seen } = await start(t);
  const layer = noise(100_000);
  await putImage(remote, 'app:1', [layer]);
  const hex = digestOf(layer).slice(7);
  // This process's own number stands for one that was reused after a restart.
  await writeFile(join(local.folder, 'partial', `${hex}.${process.pid}.old`), layer.subarray(0, 60_000));
  await get();
  assert.equal(seen.find((each) => each.path.endsWith(hex))?.range, 'bytes=60000-');

  await local.delete(digestOf(layer));
  await writeFile(join(local.folder, 'partial', hex), Buffer.alloc(60_000));
  await get();
  assert.equal(await local.stat(digestOf(layer)), 100_000);
  await local.delete(digestOf(layer));
  await writeFile(join(local.folder, 'partial', hex), layer);
  await appendFile(join(local.folder, 'partial', hex), 'too long');
  await get();
  assert.equal(await local.stat(digestOf(layer)), 100_000);
});

test('a partial file of a process that ended, waited for or not, is taken over, and goes with the blob', {
  skip: process.platform !== 'linux' && 'who waits for whom is seen in /proc',
}, async (t) => {
  const { remote, local, get, seen } = await start(t);
  const layer = noise(100_000);
  await putImage(remote, 'app:1', [layer]);
  const hex = digestOf(layer).slice(7);
  // The shell becomes `sleep`, which waits for no child.
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => parent.kill());
  const [output] = await once(parent.stdout, 'data');
  const pid = Number(output);
  await until('the child has ended', () => !isRunning(pid));
  for (const name of ['one', 'two'])
    await writeFile(join(local.folder, 'partial', `${hex}.${pid}.${name}`), layer.subarray(0, 60_000));
  await get();
  assert.equal(seen.find((each) => each.path.endsWith(hex))?.range, 'bytes=60000-');
  assert.deepEqual(await partials(local), []);
});

test('a registry without ranges is served by beginning again', async (t) => {
  const { remote, local, get, url } = await start(t);
  const layer = noise(100_000);
  await putImage(remote, 'app:1', [layer]);
  const rangeless: Fetch = (address, init) => {
    const { Range: _, ...headers } = init.headers;
    return fetch(address, { ...init, headers });
  };
  await get({ registry: { url, fetch: cutting(30_000, 2, rangeless) } });
  assert.equal(await local.stat(digestOf(layer)), 100_000);
});

test('wrong content is refused, and never stored', async (t) => {
  const { remote, local, get, url } = await start(t);
  await putImage(remote, 'app:1', [noise(1000)]);
  const lying: Fetch = async (address, init) => {
    const response = await fetch(address, init);
    return address.includes('/blobs/')
      ? new Response(Uint8Array.from(noise(1000, 'lie')), response)
      : response;
  };
  await assert.rejects(get({ registry: { url, fetch: lying } }), /cannot download blob/);
  assert.equal(await local.resolve('app:1'), undefined);
  const other: Fetch = async (address, init) => {
    const response = await fetch(address, init);
    return address.includes('/manifests/') ? new Response('{"schemaVersion":2}', response) : response;
  };
  await assert.rejects(get({ registry: { url, fetch: other } }), /sent a manifest with digest/);
});

test('another registry helps out where the first fails', async (t) => {
  const { remote, get, url } = await start(t);
  await putImage(remote, 'app:1', [noise(1000)]);
  const empty = await serveRegistry(t, { store: await temporaryStore(t) });
  const broken: Fetch = async () => new Response('no', { status: 503 });
  await get({ registry: [{ url: empty.url }, { url, fetch: broken }, { url }] });
});

test('two pulls at a time share a blob that is on its way', async (t) => {
  const { remote, get, blobsAsked } = await start(t);
  await putImage(remote, 'app:1', [noise(300_000)]);
  await Promise.all([get(), get(), get()]);
  assert.equal(blobsAsked(), 2, 'a config and a layer');
});

test('an aborted pull ends with the reason and keeps what came', async (t) => {
  const { remote, local, get } = await start(t);
  await putImage(remote, 'app:1', [noise(3_000_000)]);
  const abort = new AbortController();
  const stopping = get({ signal: abort.signal, onProgress: () => abort.abort(new Error('pod was deleted')) });
  await assert.rejects(stopping, /pod was deleted/);
  assert.equal(await local.resolve('app:1'), undefined);
  await get();
  assert.deepEqual(await partials(local), []);
});

test('not found, not allowed and not reachable are told apart', async (t) => {
  const { get, url } = await start(t);
  const reason = async (more: Partial<PullOptions>) => {
    const error = await get(more).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    assert.ok(isStatus(error), String(error));
    return [error.reason, error.message] as const;
  };
  const [missing, message] = await reason({});
  assert.equal(missing, 'NotFound');
  assert.equal(
    message,
    "manifest unknown: the cluster's registry has no app:1: build it (selvage build FOLDER -t app:1) or push it there",
  );
  const answering =
    (status: number): Fetch =>
    async () =>
      new Response('', { status });
  assert.equal((await reason({ registry: { url, fetch: answering(401) } }))[0], 'Unauthorized');
  assert.equal((await reason({ registry: { url, fetch: answering(403) } }))[0], 'Forbidden');
  const [unreachable, why] = await reason({ registry: { url: 'http://127.0.0.1:1' } });
  assert.equal(unreachable, 'ServiceUnavailable');
  assert.match(why, /cannot reach registry http:\/\/127.0.0.1:1/);
});

test('of an index, the wanted platform is pulled and no other', async (t) => {
  const { remote, local, get } = await start(t);
  const layers = { amd64: noise(1000, 'amd64'), arm64: noise(1000, 'arm64') };
  const manifests: Descriptor[] = [];
  for (const [architecture, layer] of Object.entries(layers)) {
    const image = await putImage(remote, `app:${architecture}`, [layer]);
    manifests.push({ ...image, platform: { os: 'linux', architecture } });
  }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaType.ociIndex, manifests }));
  await remote.name('app:1', { mediaType: mediaType.ociIndex, ...(await remote.put(index)) });

  const pulled = await get({ platform: { os: 'linux', architecture: 'arm64' } });
  assert.equal(pulled.descriptor.digest, digestOf(index));
  assert.equal(pulled.manifest.digest, manifests[1]!.digest);
  assert.deepEqual(
    [await local.has(digestOf(layers.amd64)), await local.has(digestOf(layers.arm64))],
    [false, true],
  );
  await garbageCollect(local, { graceMs: 0 });
  assert.equal(await local.has(digestOf(layers.arm64)), true);
  await assert.rejects(
    get({ platform: { os: 'plan9', architecture: 'arm' } }),
    /only for linux\/amd64, linux\/arm64/,
  );
});

test('a token service is asked for a token, with the scope and the credentials', async (t) => {
  const { remote, get, url } = await start(t);
  await putImage(remote, 'app:1', [noise(1000)]);
  const asked: string[] = [];
  const service = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.end(JSON.stringify({ token: 'secret' }));
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  t.after(() => service.close());
  const realm = `http://127.0.0.1:${(service.address() as AddressInfo).port}/token`;
  const guarded: Fetch = async (address, init) => {
    if (!address.startsWith(url) || init.headers.Authorization === 'Bearer secret')
      return fetch(address, init);
    const challenge = `Bearer realm="${realm}",service="reg",scope="repository:app:pull"`;
    return new Response('', { status: 401, headers: { 'www-authenticate': challenge } });
  };
  await get({ registry: { url, fetch: guarded, credentials: { username: 'me', password: 'pw' } } });
  assert.deepEqual(asked, [`/token?service=reg&scope=repository%3Aapp%3Apull Basic ${btoa('me:pw')}`]);
});

test('push sends what the registry lacks, in chunks, and nothing twice', async (t) => {
  const { remote, local, url, noting, seen } = await start(t);
  const image = await putImage(local, 'app:1', [noise(2 * chunkBytes + 5), noise(10, 'small')]);
  const registry = { url, fetch: noting };
  const first = await push({ reference: 'app:1', registry, from: local, clock });
  assert.deepEqual(await remote.resolve('app:1'), image);
  assert.equal(seen.filter(({ method }) => method === 'PATCH').length, 2);
  assert.ok(first.bytesSent > 2 * chunkBytes);
  const second = await push({ reference: 'app:2', registry, from: local, source: image, clock });
  assert.equal(second.bytesSent, 0);
  assert.deepEqual(await remote.repositories.tags('app'), ['1', '2']);
});

test('a broken push goes on where the registry stands', async (t) => {
  const { remote, local, url, noting, seen } = await start(t);
  const layer = noise(3 * chunkBytes);
  await putImage(local, 'app:1', [layer]);
  let failures = 2;
  const breaking: Fetch = async (address, init) => {
    const response = await noting(address, init);
    if (init.method !== 'PATCH' || failures-- <= 0) return response;
    // The chunk arrived; its answer did not.
    throw new TypeError('fetch failed', { cause: new Error('socket hang up') });
  };
  await push({ reference: 'app:1', registry: { url, fetch: breaking }, from: local, clock });
  assert.equal(await remote.stat(digestOf(layer)), layer.length);
  const chunks = seen.filter(({ method }) => method === 'PATCH').map(({ range }) => range);
  assert.deepEqual(
    chunks,
    [`0-${chunkBytes - 1}`, `${chunkBytes}-${2 * chunkBytes - 1}`],
    'no chunk was sent twice',
  );
});

test('a push begins again where the registry lost the upload', async (t) => {
  const { remote, local, url, noting } = await start(t);
  const layer = noise(2 * chunkBytes);
  await putImage(local, 'app:1', [layer]);
  let isFirst = true;
  const forgetting: Fetch = async (address, init) => {
    if (init.method === 'PUT' && address.includes('/blobs/uploads/') && isFirst && init.body!.length > 1000) {
      isFirst = false;
      await remote.uploads.cancel(new URL(address).pathname.split('/').at(-1)!);
    }
    return noting(address, init);
  };
  await push({ reference: 'app:1', registry: { url, fetch: forgetting }, from: local, clock });
  assert.equal(await remote.stat(digestOf(layer)), layer.length);
});

test('pushing what is not here is NotFound', async (t) => {
  const { local, url } = await start(t);
  await assert.rejects(push({ reference: 'gone:1', registry: { url }, from: local, clock }), (error) =>
    isStatus(error, 'NotFound'),
  );
});
