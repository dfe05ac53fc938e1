import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';

import { FakeClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { ContentStore } from './content-store.ts';
import { digestOf } from './digest.ts';
import { garbageCollect, gracePeriodMs } from './garbage-collect.ts';
import { writeManifest } from './image.ts';
import { mediaType } from './media-types.ts';
import { putImage, temporaryFolder, temporaryStore } from './testing.ts';
import { uploadExpiryMs, uploadsMax } from './uploads.ts';

const hello = Buffer.from('hello');

test('put stores content under its digest, from bytes and from a stream', async (t) => {
  const store = await temporaryStore(t);
  for (const content of [hello, Readable.from([Buffer.from('hel'), Buffer.from('lo')])]) {
    assert.deepEqual(await store.put(content), { digest: digestOf('hello'), size: 5 });
  }
  assert.equal((await buffer(await store.get(digestOf('hello')))).toString(), 'hello');
  assert.equal((await buffer(await store.get(digestOf('hello'), { start: 1, end: 3 }))).toString(), 'ell');
  assert.equal(await store.stat(digestOf('hello')), 5);
  assert.equal(await readFile(store.path(digestOf('hello')), 'utf8'), 'hello');
});

test('put refuses a wrong digest, a wrong size and too much, and leaves nothing behind', async (t) => {
  const store = await temporaryStore(t);
  const stream = () => Readable.from([hello]);
  const broken = async function* () {
    yield hello;
    throw new Error('the line broke');
  };
  await assert.rejects(store.put(stream(), { expectedDigest: digestOf('other') }), /expected sha256/);
  await assert.rejects(store.put(hello, { expectedDigest: digestOf('other') }), /expected sha256/);
  await assert.rejects(store.put(stream(), { expectedSize: 6 }), /5 bytes, expected 6/);
  await assert.rejects(store.put(stream(), { expectedSize: 4 }), /larger than 4 bytes/);
  await assert.rejects(store.put(stream(), { bytesMax: 4 }), /larger than 4 bytes/);
  await assert.rejects(store.put(broken()), /the line broke/);
  assert.deepEqual(await readdir(join(store.folder, 'blobs/sha256')), []);
  assert.deepEqual(await readdir(store.temporary), []);
});

test('a blob that is missing is NotFound, and a digest that is a path is refused', async (t) => {
  const store = await temporaryStore(t);
  await assert.rejects(store.get(digestOf('x')), (error) => isStatus(error, 'NotFound'));
  assert.equal(await store.has(digestOf('x')), false);
  assert.equal(await store.delete(digestOf('x')), false);
  assert.throws(() => store.path('sha256:../../etc/passwd'), /invalid digest/);
});

test('two stores on one folder see each other, as a build and a server do', async (t) => {
  const folder = await temporaryFolder(t);
  const [writer, reader] = [await ContentStore.open(folder), await ContentStore.open(folder)];
  const image = await putImage(writer, 'my-app:1.0.0', [hello]);
  assert.deepEqual(await reader.resolve('my-app:1.0.0'), image);
  assert.deepEqual(await reader.resolve(`my-app@${image.digest}`), image);
  assert.equal(await reader.resolve('my-app:2'), undefined);
});

test('many writers of the same blob and the same tag leave one whole one', async (t) => {
  const store = await temporaryStore(t);
  const content = Buffer.alloc(1 << 20, 7);
  await Promise.all(Array.from({ length: 8 }, () => store.put(Readable.from([content]))));
  assert.deepEqual(await readdir(join(store.folder, 'blobs/sha256')), [digestOf(content).slice(7)]);
  const images = await Promise.all([1, 2, 3, 4].map((n) => putImage(store, 'app:1', [Buffer.from([n])])));
  const tagged = await store.resolve('app:1');
  assert.ok(images.some((image) => image.digest === tagged?.digest));
});

test('repositories and tags are listed, also where one name continues another', async (t) => {
  const store = await temporaryStore(t);
  for (const reference of ['a:1', 'a:2', 'a/tags:tags', 'b/c:1']) await putImage(store, reference, [hello]);
  assert.deepEqual(await store.repositories.list(), ['a', 'a/tags', 'b/c']);
  assert.deepEqual(await store.repositories.tags('a'), ['1', '2']);
  assert.deepEqual(await store.repositories.tags('a/tags'), ['tags']);
});

test('an upload goes on after a restart and becomes a blob', async (t) => {
  const folder = await temporaryFolder(t);
  const before = await ContentStore.open(folder);
  const id = await before.uploads.create('app');
  await before.uploads.append(id, Readable.from([Buffer.from('hel')]), { offset: 0, bytesMax: 100 });

  const { uploads, ...after } = await ContentStore.open(folder);
  assert.equal(await uploads.offset('other', id), undefined, 'belongs to one repository');
  assert.equal(await uploads.offset('app', id), 3);
  assert.equal(await uploads.append(id, Readable.from([Buffer.from('lo')]), { offset: 3, bytesMax: 100 }), 5);
  assert.deepEqual(await uploads.commit(id, digestOf('hello')), { digest: digestOf('hello'), size: 5 });
  assert.equal(await uploads.offset('app', id), undefined);
  assert.deepEqual(await readdir(join(after.folder, 'uploads')), []);
});

test('an upload with a wrong digest is dropped', async (t) => {
  const { uploads } = await temporaryStore(t);
  const id = await uploads.create('app');
  await uploads.append(id, Readable.from([hello]), { offset: 0, bytesMax: 100 });
  await assert.rejects(uploads.commit(id, digestOf('other')), (error) => isStatus(error, 'Invalid'));
  assert.equal(await uploads.offset('app', id), undefined);
});

test('uploads are bounded in number, and idle ones expire to make room', async (t) => {
  const clock = new FakeClock(Date.now());
  const { uploads, folder } = await temporaryStore(t, { clock });
  for (let count = 1; count < uploadsMax; count++) mkdirSync(join(folder, 'uploads', `${count}`));
  await uploads.create('app');
  await assert.rejects(uploads.create('app'), (error) => isStatus(error, 'TooManyRequests'));
  await clock.advance(uploadExpiryMs + 60_000);
  const id = await uploads.create('app');
  assert.deepEqual(await readdir(join(folder, 'uploads')), [id]);
});

async function age(store: ContentStore, digest: string): Promise<void> {
  const long = (Date.now() - 2 * gracePeriodMs) / 1000;
  await utimes(store.path(digest), long, long);
}

async function ageAll(store: ContentStore): Promise<void> {
  for (const hex of await readdir(join(store.folder, 'blobs/sha256'))) await age(store, `sha256:${hex}`);
}

test('garbage collection keeps what a manifest needs and what is young', async (t) => {
  const store = await temporaryStore(t);
  await putImage(store, 'app:1', [hello]);
  const orphan = await store.put(Buffer.from('orphan'));
  await ageAll(store);
  const young = await store.put(Buffer.from('young'));

  assert.deepEqual(await garbageCollect(store), { blobs: 1, bytes: orphan.size });
  assert.equal(await store.has(orphan.digest), false);
  assert.equal(await store.has(young.digest), true);
  assert.equal(await store.has(digestOf(hello)), true);
});

test('a blob that is put again just before a sweep survives it', async (t) => {
  const store = await temporaryStore(t);
  const { digest } = await store.put(hello);
  await age(store, digest);
  await store.put(hello);
  await garbageCollect(store);
  assert.equal(await store.has(digest), true);
});

test('garbage collection walks an index, also one whose other platforms were never pulled', async (t: TestContext) => {
  const store = await temporaryStore(t);
  const image = await putImage(store, 'app:part', [hello]);
  const absent = { mediaType: mediaType.ociManifest, digest: digestOf('absent'), size: 6 };
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaType.ociIndex, manifests: [image, absent] }),
  );
  await store.name('app:1', { mediaType: mediaType.ociIndex, ...(await store.put(index)) });
  await store.repositories.removeManifest('app', image.digest);
  await ageAll(store);
  assert.deepEqual(await garbageCollect(store, { untagged: 'remove' }), { blobs: 0, bytes: 0 });
  assert.equal(await store.has(digestOf(hello)), true);
});

test('untagged manifests go only if asked, and not if they are in use', async (t) => {
  const store = await temporaryStore(t);
  const old = await putImage(store, 'app:1', [Buffer.from('old')]);
  const used = await putImage(store, 'app:1', [Buffer.from('used')]);
  await putImage(store, 'app:1', [Buffer.from('new')]);
  await ageAll(store);
  assert.equal((await garbageCollect(store)).blobs, 0);
  assert.equal((await garbageCollect(store, { untagged: 'remove', keep: [used.digest] })).blobs, 2);
  assert.equal(await store.has(old.digest), false);
  assert.equal(await store.has(digestOf('used')), true);
});

test('what refers to a kept manifest is kept, and goes with it', async (t) => {
  const store = await temporaryStore(t);
  const subject = await putImage(store, 'app:1', [hello]);
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', ...(await store.put(Buffer.from('{}'))) };
  const signature = await writeManifest(store, {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    artifactType: 'application/vnd.example.signature',
    config: empty,
    layers: [],
    subject,
  });
  await store.repositories.addReferrer('app', subject.digest, signature);
  await store.repositories.linkManifest('app', signature);
  await ageAll(store);
  assert.equal((await garbageCollect(store, { untagged: 'remove' })).blobs, 0);
  await store.repositories.removeTag('app', '1');
  await garbageCollect(store, { untagged: 'remove' });
  assert.equal(await store.has(signature.digest), false);
  assert.deepEqual(await store.repositories.referrers('app', subject.digest), []);
});

test('a collection that was killed midway loses nothing that is needed', async (t) => {
  const store = await temporaryStore(t);
  await putImage(store, 'app:1', [hello]);
  const { rename } = await import('node:fs/promises');
  const hex = digestOf(hello).slice(7);
  await rename(store.path(digestOf(hello)), join(store.temporary, `gc-${hex}`));
  await garbageCollect(store);
  assert.equal(await store.has(digestOf(hello)), true);
});

test('garbage collection drops old temporary files, and old partial downloads after a week', async (t) => {
  const clock = new FakeClock(Date.now());
  const store = await temporaryStore(t, { clock });
  await writeFile(join(store.temporary, 'left-by-a-killed-build'), 'x');
  await writeFile(join(store.folder, 'partial', 'f'.repeat(64)), 'x');
  const left = async () => [
    (await readdir(store.temporary)).length,
    (await readdir(join(store.folder, 'partial'))).length,
  ];
  await garbageCollect(store);
  assert.deepEqual(await left(), [1, 1], 'young ones may be in use');
  await clock.advance(2 * gracePeriodMs);
  await garbageCollect(store);
  assert.deepEqual(await left(), [0, 1]);
  await clock.advance(8 * 24 * 60 * 60 * 1000);
  await garbageCollect(store);
  assert.deepEqual(await left(), [0, 0]);
});
