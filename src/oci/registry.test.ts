import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { type Clock, FakeClock } from '../base/clock.ts';
import type { ContentStore } from './content-store.ts';
import { digestOf } from './digest.ts';
import { mediaType } from './media-types.ts';
import { bodyIdleMs } from './registry-call.ts';
import { pageNamesMax } from './registry-lists.ts';
import { putImage, serveRegistry, temporaryStore } from './testing.ts';

const hello = Buffer.from('hello');
const helloDigest = digestOf(hello);

async function start(t: TestContext, options: { blobBytesMax?: number; clock?: Clock } = {}) {
  const { clock, ...rest } = options;
  const store = await temporaryStore(t, clock && { clock });
  const { url, host } = await serveRegistry(t, { store, ...rest });
  const call = (method: string, path: string, body?: Uint8Array | string, headers = {}) =>
    fetch(new URL(path, url), { method, headers, ...(body !== undefined && { body: body as BodyInit }) });
  return { store, url, host, call };
}

async function assertError(response: Response, status: number, code: string): Promise<void> {
  assert.equal(response.status, status);
  const { errors } = (await response.json()) as { errors: { code: string; message: string }[] };
  assert.equal(errors[0]?.code, code);
  assert.ok(errors[0]?.message);
}

test('the base path answers, and other paths are left to the caller', async (t) => {
  const { call, url } = await start(t);
  assert.equal((await call('GET', '/v2/')).status, 200);
  assert.equal((await call('GET', '/v2')).status, 200);
  assert.equal((await call('GET', '/v2x/')).status, 404);
  const { status } = await fetch(`${url}//`);
  assert.equal(status, 404, 'a path that is no URL');
  await assertError(await call('GET', '/v2/what'), 404, 'UNSUPPORTED');
});

test('a blob is pushed in one POST, in POST and PUT, and in chunks', async (t) => {
  const { store, call } = await start(t);
  const one = await call('POST', `/v2/app/blobs/uploads/?digest=${helloDigest}`, hello);
  assert.equal(one.status, 201);
  assert.equal(one.headers.get('location'), `/v2/app/blobs/${helloDigest}`);
  await store.delete(helloDigest);

  const begun = await call('POST', '/v2/app/blobs/uploads/');
  assert.equal(begun.status, 202);
  assert.equal(
    (await call('PUT', `${begun.headers.get('location')}?digest=${helloDigest}`, hello)).status,
    201,
  );
  await store.delete(helloDigest);

  const location = (await call('POST', '/v2/app/blobs/uploads/')).headers.get('location')!;
  const first = await call('PATCH', location, 'hel', { 'content-range': '0-2' });
  assert.deepEqual([first.status, first.headers.get('range')], [202, '0-2']);
  const last = await call('PUT', `${location}?digest=${helloDigest}`, 'lo', { 'content-range': '3-4' });
  assert.equal(last.status, 201);
  assert.equal(await store.stat(helloDigest), 5);
});

test('an upload that breaks off tells how far it came and goes on from there', async (t) => {
  const { call, host } = await start(t);
  const location = (await call('POST', '/v2/app/blobs/uploads/')).headers.get('location')!;
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel`);
  let range: string | null = null;
  for (let tries = 0; range !== '0-2' && tries < 500; tries++) {
    range = (await call('GET', location)).headers.get('range');
  }
  assert.equal(range, '0-2');
  socket.destroy();
  let resumed = await call('PATCH', location, 'lo', { 'content-range': '3-4' });
  for (let tries = 0; resumed.status === 409 && tries < 500; tries++) {
    resumed = await call('PATCH', location, 'lo', { 'content-range': '3-4' });
  }
  assert.equal(resumed.headers.get('range'), '0-4');
  assert.equal((await call('PUT', `${location}?digest=${helloDigest}`)).status, 201);
});

test('an upload that stalls is cut off, and what came of it is kept', async (t) => {
  const clock = new FakeClock();
  const { call, host } = await start(t, { clock });
  const location = (await call('POST', '/v2/app/blobs/uploads/')).headers.get('location')!;
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  const closed = once(socket, 'close');
  socket.on('error', () => {});
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nh`);
  const range = async () => (await call('GET', location)).headers.get('range');
  await clock.advance(bodyIdleMs - 1);
  socket.write('el');
  for (let tries = 0; (await range()) !== '0-2' && tries < 500; tries++);
  await clock.advance(bodyIdleMs - 1);
  assert.equal(socket.destroyed, false, 'each byte gives it time');
  await clock.advance(1);
  await closed;
  assert.equal(await range(), '0-2');
});

test('a chunk out of order is answered 416 with the place to go on from', async (t) => {
  const { call } = await start(t);
  const location = (await call('POST', '/v2/app/blobs/uploads/')).headers.get('location')!;
  await call('PATCH', location, 'hel', { 'content-range': '0-2' });
  const response = await call('PATCH', location, 'lo', { 'content-range': '4-5' });
  assert.equal(response.headers.get('range'), '0-2');
  await assertError(response, 416, 'BLOB_UPLOAD_INVALID');
  await assertError(await call('PATCH', location, 'lo', { 'content-range': '3-9' }), 400, 'SIZE_INVALID');
  await assertError(
    await call('PATCH', location, 'lo', { 'content-range': 'x' }),
    400,
    'BLOB_UPLOAD_INVALID',
  );
});

test('a wrong digest is refused and its upload ends', async (t) => {
  const { store, call } = await start(t);
  const location = (await call('POST', '/v2/app/blobs/uploads/')).headers.get('location')!;
  const wrong = digestOf('other');
  await assertError(await call('PUT', `${location}?digest=${wrong}`, hello), 400, 'DIGEST_INVALID');
  await assertError(
    await call('PUT', `${location}?digest=${helloDigest}`, hello),
    404,
    'BLOB_UPLOAD_UNKNOWN',
  );
  await assertError(await call('POST', '/v2/app/blobs/uploads/?digest=md5:1', hello), 400, 'DIGEST_INVALID');
  assert.equal(await store.has(wrong), false);
  assert.equal(await store.has(helloDigest), false);
});

test('a blob or manifest over the bound is refused', async (t) => {
  const { call } = await start(t, { blobBytesMax: 4 });
  await assertError(
    await call('POST', `/v2/app/blobs/uploads/?digest=${helloDigest}`, hello),
    413,
    'SIZE_INVALID',
  );
  const big = Buffer.alloc(4 * 1024 * 1024 + 1, ' ');
  await assertError(await call('PUT', '/v2/app/manifests/1', big), 413, 'MANIFEST_INVALID');
});

test('a blob is mounted from a repository that has it, and otherwise an upload begins', async (t) => {
  const { store, call } = await start(t);
  await store.put(hello);
  const path = '/v2/b/blobs/uploads/?from=a&mount=';
  assert.equal((await call('POST', path + helloDigest)).status, 201);
  assert.equal((await call('POST', path + digestOf('absent'))).status, 202);
});

test('a blob is served whole, in part and by HEAD', async (t) => {
  const { store, call } = await start(t);
  await store.put(hello);
  const path = `/v2/app/blobs/${helloDigest}`;
  const whole = await call('GET', path);
  assert.equal(whole.headers.get('docker-content-digest'), helloDigest);
  assert.equal(await whole.text(), 'hello');
  const head = await call('HEAD', path);
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, '5']);

  const part = await call('GET', path, undefined, { range: 'bytes=1-3' });
  assert.deepEqual(
    [part.status, part.headers.get('content-range'), await part.text()],
    [206, 'bytes 1-3/5', 'ell'],
  );
  assert.equal(await (await call('GET', path, undefined, { range: 'bytes=3-' })).text(), 'lo');
  assert.equal(await (await call('GET', path, undefined, { range: 'bytes=-2' })).text(), 'lo');
  const beyond = await call('GET', path, undefined, { range: 'bytes=5-' });
  assert.equal(beyond.headers.get('content-range'), 'bytes */5');
  await assertError(beyond, 416, 'SIZE_INVALID');
  await assertError(await call('GET', `/v2/app/blobs/${digestOf('absent')}`), 404, 'BLOB_UNKNOWN');
  await assertError(await call('GET', '/v2/app/blobs/sha256:12'), 400, 'DIGEST_INVALID');
});

/** A manifest over a config and a layer that are both `hello`. */
async function manifestOf(store: ContentStore, more: Record<string, unknown> = {}): Promise<string> {
  const blob = await store.put(hello);
  const config = { mediaType: mediaType.ociConfig, ...blob };
  const layers = [{ mediaType: mediaType.ociLayer, ...blob }];
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaType.ociManifest, config, layers, ...more });
}

const asManifest = { 'content-type': mediaType.ociManifest };

test('a manifest is pushed by tag and pulled byte for byte by tag and digest', async (t) => {
  const { store, call } = await start(t);
  const manifest = await manifestOf(store);
  const put = await call('PUT', '/v2/team/app/manifests/1.0', manifest, asManifest);
  assert.equal(put.status, 201);
  const digest = digestOf(manifest);
  assert.equal(put.headers.get('docker-content-digest'), digest);
  for (const reference of ['1.0', digest]) {
    const got = await call('GET', `/v2/team/app/manifests/${reference}`);
    assert.equal(got.headers.get('content-type'), mediaType.ociManifest);
    assert.equal(await got.text(), manifest);
  }
  await assertError(await call('GET', '/v2/team/app/manifests/2.0'), 404, 'MANIFEST_UNKNOWN');
  await assertError(await call('GET', `/v2/other/manifests/${digest}`), 404, 'MANIFEST_UNKNOWN');
});

test('Docker manifests and lists are taken, other types are not', async (t) => {
  const { store, call } = await start(t);
  const docker = await manifestOf(store, { mediaType: mediaType.dockerManifest });
  const put = (body: string, type: string) =>
    call('PUT', '/v2/app/manifests/1', body, { 'content-type': type });
  assert.equal((await put(docker, mediaType.dockerManifest)).status, 201);
  const list = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaType.dockerManifestList,
    manifests: [{ mediaType: mediaType.dockerManifest, digest: digestOf(docker), size: docker.length }],
  });
  assert.equal((await put(list, mediaType.dockerManifestList)).status, 201);
  await assertError(await put(docker, mediaType.ociManifest), 400, 'MANIFEST_INVALID');
  await assertError(await put('{"schemaVersion":2}', 'text/plain'), 400, 'MANIFEST_INVALID');
  await assertError(await put('{', mediaType.ociManifest), 400, 'MANIFEST_INVALID');
  await assertError(await put('{"schemaVersion":1}', mediaType.ociManifest), 400, 'MANIFEST_INVALID');
});

test('a manifest whose content is not here, or has another size or digest, is refused', async (t) => {
  const { store, call } = await start(t);
  const put = (body: string, reference = '1') =>
    call('PUT', `/v2/app/manifests/${reference}`, body, asManifest);
  const layer = { mediaType: mediaType.ociLayer, digest: digestOf('absent'), size: 6 };
  await assertError(await put(await manifestOf(store, { layers: [layer] })), 404, 'MANIFEST_BLOB_UNKNOWN');
  const longer = { ...layer, digest: helloDigest };
  await assertError(await put(await manifestOf(store, { layers: [longer] })), 400, 'SIZE_INVALID');
  await assertError(await put(await manifestOf(store), digestOf('other')), 400, 'DIGEST_INVALID');
  const outside = { ...layer, urls: ['https://example.com/layer'] };
  assert.equal((await put(await manifestOf(store, { layers: [outside] }))).status, 201);
});

test('names are checked before anything is looked up', async (t) => {
  const { call } = await start(t);
  await assertError(await call('GET', '/v2/App/manifests/1'), 400, 'NAME_INVALID');
  await assertError(await call('GET', '/v2/a%2f..%2f..%2fb/manifests/1'), 400, 'NAME_INVALID');
  await assertError(await call('GET', '/v2/%ff/manifests/1'), 400, 'NAME_INVALID');
  await assertError(await call('GET', '/v2/app/manifests/..%2fx'), 404, 'UNSUPPORTED');
  await assertError(await call('POST', '/v2/app/manifests/1'), 405, 'UNSUPPORTED');
});

test('tags and the catalogue come in pages', async (t) => {
  const { store, call } = await start(t);
  for (const tag of ['a', 'b', 'c']) await putImage(store, `app:${tag}`, [hello]);
  await putImage(store, 'other', [hello]);
  const first = await call('GET', '/v2/app/tags/list?n=2');
  assert.deepEqual(await first.json(), { name: 'app', tags: ['a', 'b'] });
  assert.equal(first.headers.get('link'), '</v2/app/tags/list?n=2&last=b>; rel="next"');
  const second = await call('GET', '/v2/app/tags/list?n=2&last=b');
  assert.deepEqual([await second.json(), second.headers.get('link')], [{ name: 'app', tags: ['c'] }, null]);
  assert.deepEqual(await (await call('GET', '/v2/app/tags/list?n=0')).json(), { name: 'app', tags: [] });
  assert.deepEqual(await (await call('GET', '/v2/_catalog')).json(), { repositories: ['app', 'other'] });
  assert.deepEqual(await (await call('GET', '/v2/_catalog?n=1&last=app')).json(), {
    repositories: ['other'],
  });
  await assertError(await call('GET', '/v2/none/tags/list'), 404, 'NAME_UNKNOWN');
  await assertError(await call('GET', '/v2/app/tags/list?n=many'), 400, 'UNSUPPORTED');
});

test('one page holds at most a bounded number of names, whatever is asked', async (t) => {
  const { store, call } = await start(t);
  const manifest = await putImage(store, 'app:0', [hello]);
  const folder = join(store.folder, 'repositories/app/_tags');
  for (let n = 1; n <= pageNamesMax; n++) writeFileSync(join(folder, `${n}`), JSON.stringify(manifest));
  const page = await call('GET', '/v2/app/tags/list?n=999999');
  assert.equal(((await page.json()) as { tags: string[] }).tags.length, pageNamesMax);
  const rest = await call('GET', /<(.*)>/.exec(page.headers.get('link')!)![1]!);
  assert.equal(((await rest.json()) as { tags: string[] }).tags.length, 1);
});

test('what refers to a manifest is listed with type and annotations, and goes when deleted', async (t) => {
  const { store, call } = await start(t);
  const subject = await putImage(store, 'app:1', [hello]);
  const artifactType = 'application/vnd.example.signature';
  const signature = await manifestOf(store, { artifactType, subject, annotations: { by: 'me' } });
  const digest = digestOf(signature);
  const put = await call('PUT', `/v2/app/manifests/${digest}`, signature, asManifest);
  assert.equal(put.headers.get('oci-subject'), subject.digest);

  const list = async (query = '') => {
    const response = await call('GET', `/v2/app/referrers/${subject.digest}${query}`);
    assert.equal(response.headers.get('content-type'), mediaType.ociIndex);
    return ((await response.json()) as { manifests: unknown[] }).manifests;
  };
  const size = signature.length;
  const descriptor = {
    mediaType: mediaType.ociManifest,
    digest,
    size,
    artifactType,
    annotations: { by: 'me' },
  };
  assert.deepEqual(await list(), [descriptor]);
  assert.deepEqual(await list(`?artifactType=${artifactType}`), [descriptor]);
  assert.deepEqual(await list('?artifactType=other'), []);
  assert.equal((await call('DELETE', `/v2/app/manifests/${digest}`)).status, 202);
  assert.deepEqual(await list(), []);
});

test('deleting a tag keeps the manifest; deleting the manifest takes its tags', async (t) => {
  const { store, call } = await start(t);
  const { digest } = await putImage(store, 'app:1', [hello]);
  await putImage(store, 'app:2', [hello]);
  assert.equal((await call('DELETE', '/v2/app/manifests/1')).status, 202);
  assert.equal((await call('GET', `/v2/app/manifests/${digest}`)).status, 200);
  await assertError(await call('DELETE', `/v2/app/blobs/${helloDigest}`), 405, 'UNSUPPORTED');
  assert.equal((await call('DELETE', `/v2/app/manifests/${digest}`)).status, 202);
  await assertError(await call('GET', '/v2/app/manifests/2'), 404, 'MANIFEST_UNKNOWN');
  assert.equal((await call('DELETE', `/v2/app/blobs/${helloDigest}`)).status, 202);
  await assertError(await call('DELETE', `/v2/app/blobs/${helloDigest}`), 404, 'BLOB_UNKNOWN');
});

test('what authorize refuses is denied, also the source of a mount', async (t) => {
  const store = await temporaryStore(t);
  await putImage(store, 'secret:1', [hello]);
  const { url } = await serveRegistry(t, {
    store,
    authorize: ({ repository, action }) => repository === 'mine' && action !== 'delete',
  });
  const call = (method: string, path: string) => fetch(url + path, { method });
  await assertError(await call('GET', '/v2/secret/manifests/1'), 403, 'DENIED');
  await assertError(await call('GET', '/v2/_catalog'), 403, 'DENIED');
  await assertError(await call('DELETE', '/v2/mine/manifests/1'), 403, 'DENIED');
  const mount = await call('POST', `/v2/mine/blobs/uploads/?from=secret&mount=${helloDigest}`);
  assert.equal(mount.status, 202, 'an upload begins instead');
});
