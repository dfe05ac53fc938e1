import assert from 'node:assert/strict';
import { access, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { buildImage } from '../../oci/build.ts';
import { ContentStore } from '../../oci/content-store.ts';
import { hostPlatform, writeManifest } from '../../oci/image.ts';

import { impatientClock, putImage, serveRegistry, temporaryFolder } from '../../oci/testing.ts';
import { NodeState } from '../state.ts';
import type { ImageError } from './image-error.ts';
import { ImageService } from './image-service.ts';

async function setUp(t: TestContext, options: { bytesMax?: number; inUse?: () => Set<string> } = {}) {
  const store = await ContentStore.open(await temporaryFolder(t));
  const served = await serveRegistry(t, { store });
  let isDown = false;
  let requests = 0;
  const registry = {
    url: served.url,
    fetch: async (url: string, init: object) => {
      requests++;
      if (isDown) throw new TypeError('fetch failed');
      return fetch(url, init);
    },
  };
  const folder = await temporaryFolder(t);
  const state = new NodeState({ folder });
  t.after(() => state.close());
  const clock = impatientClock;
  const images = new ImageService({
    folder: join(folder, 'images'),
    registry,
    state,
    clock,
    log: silentLog,
    inUse: options.inUse ?? (() => new Set()),
    ...(options.bytesMax !== undefined && { bytesMax: options.bytesMax }),
  });
  const build = async (tag: string, source: string) => {
    const contextDir = await temporaryFolder(t);
    await mkdir(contextDir, { recursive: true });
    await writeFile(join(contextDir, 'package.json'), '{"type":"module","main":"server.js"}');
    await writeFile(join(contextDir, 'server.js'), source);
    await buildImage({ contextDir, store, tag });
  };
  const cut = (down: boolean) => {
    isDown = down;
  };
  return { images, build, store, state, folder, cut, requests: () => requests };
}

const nothing = () => {};
const source = (text: string) => `export default { fetch: () => new Response('${text}') };\n`;

test('many pods that ask for one image at once pull it once', async (t) => {
  const { images, build, requests } = await setUp(t);
  await build('web:1', source('one'));
  const all = await Promise.all([1, 2, 3].map(() => images.runnable('web:1', 'IfNotPresent', nothing)));
  const once = requests();
  assert.equal(new Set(all.map(({ rootDir }) => rootDir)).size, 1);
  assert.equal(await readFile(join(all[0]!.rootDir, all[0]!.entry), 'utf8'), source('one'));
  const again = await images.runnable('web:1', 'IfNotPresent', () => assert.fail('it is here'));
  assert.equal(again.pulledInMs, undefined);
  assert.equal(requests(), once, 'what is here is not asked for');
});

test('Always takes the newest, and what is here when there is no link', async (t) => {
  const { images, build, cut } = await setUp(t);
  await build('web:latest', source('one'));
  const first = await images.runnable('web', undefined, nothing);
  await build('web:latest', source('two'));
  const second = await images.runnable('web', undefined, nothing);
  assert.notEqual(second.id, first.id);
  cut(true);
  const third = await images.runnable('web', 'Always', nothing);
  assert.equal(third.id, second.id);
});

test('an unreachable registry and a missing image are told apart', async (t) => {
  const { images, cut } = await setUp(t);
  const missing = images.runnable('nothing:1', 'IfNotPresent', nothing);
  await assert.rejects(missing, (error: ImageError) => {
    assert.equal(error.reason, 'ErrImagePull');
    assert.match(error.message, /manifest unknown/);
    return true;
  });
  cut(true);
  const unreachable = images.runnable('nothing:2', 'IfNotPresent', nothing);
  await assert.rejects(unreachable, { reason: 'ErrImagePull', message: /cannot pull nothing:2/ });
});

test('Never pulls nothing, and a malformed name or a container image says what is wrong', async (t) => {
  const { images, store } = await setUp(t);
  await assert.rejects(images.runnable('web:1', 'Never', nothing), { reason: 'ErrImageNeverPull' });
  await assert.rejects(images.runnable('WEB//1', 'IfNotPresent', nothing), {
    reason: 'InvalidImageName',
    message: /^couldn't parse image name "WEB\/\/1": invalid reference format: the name/,
  });
  await putImage(store, 'linux:1', []);
  const linux = images.runnable('linux:1', 'IfNotPresent', nothing);
  await assert.rejects(linux, { reason: 'ImageInspectError', message: /this node runs isolates only/ });
});

test('an artifact is shown as a folder of its titled files and its configuration', async (t) => {
  const { images, store } = await setUp(t);
  const blob = async (text: string, title?: string) => ({
    mediaType: 'application/octet-stream',
    ...(await store.put(Buffer.from(text))),
    ...(title && { annotations: { 'org.opencontainers.image.title': title } }),
  });
  const manifest = await writeManifest(store, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.example.model',
    config: await blob('{"labels":["cat"]}'),
    layers: [await blob('graph', 'graph.onnx'), await blob('weights', '../../weights.safetensors')],
  });
  await store.name('model:1', manifest);
  const { path: folder } = await images.folder('model:1', undefined);
  assert.equal(await readFile(join(folder, 'graph.onnx'), 'utf8'), 'graph');
  assert.equal(await readFile(join(folder, 'weights.safetensors'), 'utf8'), 'weights', 'kept inside');
  assert.equal(await readFile(join(folder, 'config.json'), 'utf8'), '{"labels":["cat"]}');
  assert.equal((await images.folder('model:1', undefined)).path, folder);
});

test('above the bound, the image unused for longest goes, unless a pod uses it, also beside a built-in one', async (t) => {
  const used = new Set<string>();
  const { images, build, state } = await setUp(t, { bytesMax: 1, inUse: () => used });
  for (const name of ['a:1', 'b:1', 'c:1']) await build(name, source(name));
  used.add((await images.runnable('a:1', undefined, nothing)).id);
  used.add((await images.runnable('selvage.dev/builtin/model-server', undefined, nothing)).id);
  await images.runnable('b:1', undefined, nothing);
  await images.collected();
  assert.equal(state.images().length, 2, 'what was used just now stays');
  for (const image of state.images()) state.saveImage({ ...image, usedAtMs: 0 });
  await images.runnable('c:1', undefined, nothing);
  await images.collected();
  assert.deepEqual(
    state.images().map(({ reference }) => reference),
    ['a:1', 'c:1'],
  );
  await images.runnable('b:1', undefined, nothing);
});

test('what a tag meant before it was pushed anew goes once no pod uses it', async (t) => {
  const used = new Set<string>();
  const { images, build, folder, state } = await setUp(t, { inUse: () => used });
  const shown = () => readdir(join(folder, 'images/unpacked'));
  await build('model:latest', source('one'));
  const first = await images.folder('model', undefined);
  used.add(first.id);
  await utimes(first.path, 0, 0);
  await build('model:latest', source('two'));
  const second = await images.folder('model', undefined);
  await images.collected();
  assert.equal((await shown()).length, 2, 'a pod still shows it');
  used.clear();
  await build('model:latest', source('three'));
  const third = await images.folder('model', undefined);
  await images.collected();
  const left = [second, third].map(({ path }) => basename(path));
  assert.deepEqual((await shown()).sort(), left.sort(), 'the second was asked for just now');
  assert.equal(state.images().length, 1);
});

test('of an image for several platforms, the index goes too', async (t) => {
  const { images, build, store, state } = await setUp(t, { bytesMax: 1 });
  for (const name of ['many:1', 'other:1']) await build(name, source(name));
  const { architecture, os } = hostPlatform();
  const only = { ...(await store.resolve('many:1'))!, platform: { architecture, os } };
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = { schemaVersion: 2, mediaType, manifests: [only] };
  await store.name('many:1', { mediaType, ...(await store.put(Buffer.from(JSON.stringify(index)))) });
  await images.runnable('many:1', undefined, nothing);
  for (const image of state.images()) state.saveImage({ ...image, usedAtMs: 0 });
  await images.runnable('other:1', undefined, nothing);
  await images.collected();
  await assert.rejects(images.runnable('many:1', 'Never', nothing), { reason: 'ErrImageNeverPull' });
});

test('what an agent that was killed had half unpacked is removed', async (t) => {
  const { images, build, folder } = await setUp(t);
  const left = join(folder, 'images/unpacked/.staging-1-x');
  await mkdir(left, { recursive: true });
  await build('web:1', source('one'));
  await images.runnable('web:1', undefined, nothing);
  await assert.rejects(access(left), { code: 'ENOENT' });
});
