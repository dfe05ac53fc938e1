import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

import { isStatus } from '../base/errors.ts';
import { digestOf } from './digest.ts';
import { readImage, writeImage } from './image.ts';
import { mediaType } from './media-types.ts';
import { temporaryFolder, temporaryStore } from './testing.ts';
import { dropStaging, type UnpackOptions, unpackImage } from './unpack.ts';

type Member = Partial<Header> & { name: string; content?: string };

async function tarOf(members: Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of members) tar.entry({ mode: 0o644, ...header }, content);
  tar.finalize();
  return buffer(tar as unknown as AsyncIterable<Buffer>);
}

interface Options extends Partial<UnpackOptions> {
  encode?: (tar: Buffer) => Buffer;
  type?: string;
  diffIds?: string[];
}

/** Unpacks an image of these layers and gives its root; `folder` and `again` serve to look around it. */
async function unpack(t: TestContext, layers: Member[][], options: Options = {}) {
  const store = await temporaryStore(t);
  const folder = await temporaryFolder(t);
  const { encode = (tar) => tar, type = mediaType.ociLayer, diffIds, ...rest } = options;
  const tars = await Promise.all(layers.map(tarOf));
  const descriptors = [];
  for (const tar of tars) descriptors.push({ mediaType: type, ...(await store.put(encode(tar))) });
  const diff_ids = diffIds ?? tars.map((tar) => digestOf(tar));
  const descriptor = await writeImage(store, {
    config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids } },
    layers: descriptors,
  });
  const image = await readImage(store, descriptor);
  const again = () => unpackImage(store, image, { use: 'isolate', folder, ...rest });
  return { root: await again().catch((error) => refused(folder, error)), folder, again, store };
}

/** Whatever is refused must leave nothing, so every failing test checks that too. */
async function refused(folder: string, error: unknown): Promise<never> {
  for (const parent of await readdir(folder)) assert.deepEqual(await readdir(join(folder, parent)), []);
  throw error;
}

async function assertRefused(t: TestContext, layers: Member[][], message: RegExp, options: Options = {}) {
  await assert.rejects(unpack(t, layers, options), (error) => {
    assert.ok(isStatus(error), String((error as Error).stack));
    assert.match(error.message, message);
    return true;
  });
}

test('layers unpack over each other, once an image', async (t) => {
  const { root, folder, again } = await unpack(t, [
    [
      { name: 'app/', type: 'directory', mode: 0o755 },
      { name: 'app/a', content: 'old' },
      { name: 'app/b', content: 'b', mode: 0o755 },
    ],
    [
      { name: './app/a', content: 'new' },
      { name: 'implicit/folder/c', content: 'c' },
    ],
  ]);
  assert.equal(await readFile(join(root, 'app/a'), 'utf8'), 'new');
  assert.equal(await readFile(join(root, 'implicit/folder/c'), 'utf8'), 'c');
  assert.equal((await stat(join(root, 'app/b'))).mode & 0o777, 0o755);
  assert.equal((await stat(root)).mode & 0o777, 0o755, "another user's process can enter");
  await writeFile(join(root, 'marker'), '');
  assert.equal(await again(), root);
  assert.ok((await readdir(root)).includes('marker'), 'not unpacked a second time');
  assert.equal((await readdir(join(folder, 'unpacked'))).length, 1);
});

test('several at a time get the same tree', async (t) => {
  const { root, again, folder } = await unpack(t, [[{ name: 'a', content: 'a' }]]);
  const { rm } = await import('node:fs/promises');
  await rm(root, { recursive: true });
  const roots = await Promise.all(Array.from({ length: 5 }, again));
  assert.deepEqual(new Set(roots), new Set([root]));
  assert.equal((await readdir(join(folder, 'unpacked'))).length, 1);
});

test('gzip and zstd layers unpack, and the diff_id is checked', async (t) => {
  const layer = [[{ name: 'a', content: 'a'.repeat(100_000) }]];
  for (const [type, encode] of [
    [mediaType.ociLayerGzip, gzipSync],
    [mediaType.ociLayerZstd, zstdCompressSync],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', gzipSync],
  ] as const) {
    const { root } = await unpack(t, layer, { type, encode: (tar) => encode(tar) });
    assert.equal((await stat(join(root, 'a'))).size, 100_000);
  }
  await assertRefused(t, layer, /unpacks to sha256:.*the image says/, { diffIds: [digestOf('x')] });
  await assertRefused(t, layer, /1 layers but 2 diff_ids/, { diffIds: [digestOf('x'), digestOf('y')] });
  await assertRefused(t, layer, /is damaged/, { type: mediaType.ociLayerGzip });
  await assertRefused(t, layer, /is damaged/, { encode: (tar) => tar.subarray(0, 2000) });
  await assertRefused(t, layer, /expected a tar/, { type: 'application/x-cpio' });
});

test('whiteouts hide what lies below and nothing of their own layer', async (t) => {
  const { root } = await unpack(t, [
    [
      { name: 'gone', content: 'x' },
      { name: 'stays', content: 'x' },
      { name: 'dir/old', content: 'x' },
      { name: 'dir/sub/old', content: 'x' },
      { name: 'tree/deep/old', content: 'x' },
    ],
    [
      { name: '.wh.gone' },
      { name: '.wh.tree' },
      { name: 'dir/new', content: 'y' },
      { name: 'dir/sub/new', content: 'y' },
      { name: 'dir/.wh..wh..opq' },
      { name: '.wh..wh.plnk' },
    ],
  ]);
  assert.deepEqual((await readdir(root)).sort(), ['dir', 'stays']);
  assert.deepEqual((await readdir(join(root, 'dir'), { recursive: true })).sort(), ['new', 'sub', 'sub/new']);
});

test('a path that leads out of the image is refused', async (t) => {
  await assertRefused(t, [[{ name: '../evil' }]], /".." part/);
  await assertRefused(t, [[{ name: 'a/../../evil' }]], /".." part/);
  await assertRefused(t, [[{ name: '.wh...' }]], /hides no file/);
  await assertRefused(t, [[{ name: `${'x/'.repeat(3000)}y` }]], /longer than 4096/);
});

test('an absolute path lands within the image', async (t) => {
  const { root } = await unpack(t, [[{ name: '/etc/selvage-test', content: 'x' }]]);
  assert.equal(await readFile(join(root, 'etc/selvage-test'), 'utf8'), 'x');
});

test('writing through a link stays within the image', async (t) => {
  const outside = await temporaryFolder(t);
  const layers = [
    [
      { name: 'absolute', type: 'symlink' as const, linkname: outside },
      { name: 'climbing', type: 'symlink' as const, linkname: '../../../../../../../../tmp/up' },
    ],
    [
      { name: 'absolute/evil', content: 'x' },
      { name: 'climbing/evil', content: 'x' },
    ],
  ];
  const { root } = await unpack(t, layers, { use: 'container' });
  assert.deepEqual(await readdir(outside), []);
  assert.equal(await readFile(join(root, outside, 'evil'), 'utf8'), 'x');
  assert.equal(await readFile(join(root, 'tmp/up/evil'), 'utf8'), 'x');
  assert.equal(await readlink(join(root, 'absolute')), outside, 'a container keeps its links');
});

test('a file in place of a link replaces the link, not what it points at', async (t) => {
  const outside = join(await temporaryFolder(t), 'file');
  await writeFile(outside, 'mine');
  const { root } = await unpack(
    t,
    [[{ name: 'a', type: 'symlink', linkname: outside }], [{ name: 'a', content: 'theirs' }]],
    { use: 'isolate' },
  );
  assert.equal(await readFile(outside, 'utf8'), 'mine');
  assert.equal((await lstat(join(root, 'a'))).isFile(), true);
});

test("an isolate's links may not lead out, not even by way of each other", async (t) => {
  const link = (name: string, linkname: string): Member => ({ name, type: 'symlink', linkname });
  await assertRefused(t, [[link('a', '/etc/passwd')]], /"a": it links out of the image/);
  await assertRefused(t, [[link('a/b', '../../x')]], /links out/);
  // Each looks harmless alone: `here` is the root, so `here/..` is above it.
  await assertRefused(t, [[link('here', '.'), link('deep/x', '../here/../y')]], /links out/);
  const { root } = await unpack(t, [
    [link('a/b', '../c'), link('loop', 'loop'), { name: 'c', content: 'c' }],
  ]);
  assert.equal(await readFile(join(root, 'a/b'), 'utf8'), 'c');
});

test('a hard link reaches only files of the image', async (t) => {
  const hard = (name: string, linkname: string): Member => ({ name, type: 'link', linkname });
  const { root } = await unpack(t, [[{ name: 'a', content: 'a' }, hard('b', 'a')]]);
  assert.equal((await stat(join(root, 'b'))).ino, (await stat(join(root, 'a'))).ino);
  await assertRefused(t, [[hard('b', '/etc/passwd')]], /no file/);
  await assertRefused(t, [[hard('b', '../../etc/passwd')]], /".." part/);
  const outside = await temporaryFolder(t);
  await writeFile(join(outside, 'secret'), 'x');
  const through: Member[] = [{ name: 'dir', type: 'symlink', linkname: outside }, hard('b', 'dir/secret')];
  await assertRefused(t, [through], /no file/, { use: 'container' });
});

test('devices are refused for an isolate and left out for a container', async (t) => {
  const device: Member = { name: 'dev/mem', type: 'character-device', devmajor: 1, devminor: 1 };
  await assertRefused(t, [[device]], /character-device/);
  await assertRefused(t, [[{ name: 'pipe', type: 'fifo' }]], /fifo/);
  const { root } = await unpack(t, [[device]], { use: 'container' });
  assert.deepEqual(await readdir(join(root, 'dev')), []);
});

test('a decompression bomb stops at the bound', async (t) => {
  const bomb = [[{ name: 'zeros', content: '\0'.repeat(20 * 1024 * 1024) }]];
  const options = {
    type: mediaType.ociLayerGzip,
    encode: (tar: Buffer) => gzipSync(tar),
    bytesMax: 1024 * 1024,
  };
  await assertRefused(t, bomb, /larger than 1048576 bytes/, options);
  const many = [Array.from({ length: 11 }, (_, at) => ({ name: `f${at}` }))];
  await assertRefused(t, many, /more than 10 entries/, { entriesMax: 10 });
  const twice = [
    [{ name: 'a', content: 'a'.repeat(600_000) }],
    [{ name: 'b', content: 'b'.repeat(600_000) }],
  ];
  await assertRefused(t, twice, /larger than/, { bytesMax: 1024 * 1024 });
});

test('set-user-ID bits stay for a container and go for an isolate', async (t) => {
  const layers = [[{ name: 'su', content: 'x', mode: 0o4755, uid: process.getuid?.() ?? 0 }]];
  const mode = async (use: 'isolate' | 'container') => {
    const { root } = await unpack(t, layers, { use });
    return (await stat(join(root, 'su'))).mode & 0o7777;
  };
  assert.equal(await mode('container'), 0o4755);
  assert.equal(await mode('isolate'), 0o755);
});

test('a folder without write permission still gets its files', async (t) => {
  const { root } = await unpack(t, [
    [
      { name: 'locked/', type: 'directory', mode: 0o555 },
      { name: 'locked/a', content: 'a' },
    ],
  ]);
  assert.equal(await readFile(join(root, 'locked/a'), 'utf8'), 'a');
});

test('what a killed process left is dropped on request', async (t) => {
  const { folder, root } = await unpack(t, [[{ name: 'a' }]]);
  await mkdir(join(folder, 'unpacked/.staging-1-x/a'), { recursive: true });
  await dropStaging(folder);
  assert.deepEqual(await readdir(join(folder, 'unpacked')), [root.split('/').at(-1)]);
});
