import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { download } from './download.ts';
import { placeModel } from './place-model.ts';

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'storage-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`;
}

async function tarOf(files: Record<string, string>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  return buffer(tar);
}

/** What becomes of a file with that content. */
async function place(
  t: TestContext,
  content: Uint8Array,
  options: { keepAs?: string; bytesMax?: number } = {},
) {
  const folder = await folderFor(t);
  const file = join(folder, '.download');
  await writeFile(file, content);
  const placed = await placeModel({ file, folder, ...options });
  return { placed, folder };
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

test('a file is fetched, and is what its digest says or an error', async (t) => {
  const folder = await folderFor(t);
  const file = join(folder, 'f');
  const uri = await serve(t, (_request, response) => response.end('abc'));
  assert.deepEqual(await download({ uri, file, fetch }), { bytes: 3, digest: digestOf('abc') });
  assert.equal(await readFile(file, 'utf8'), 'abc');
  await download({ uri: `${uri}#sha256=${digestOf('abc')}`, file, fetch });
  await assert.rejects(
    download({ uri: `${uri}#sha256=${digestOf('abd')}`, file, fetch }),
    /has the SHA-256 ba7816bf\S+, but storageUri says a52d159f/,
  );
});

test('an error, too many bytes and a server that falls silent end the download', async (t) => {
  const file = join(await folderFor(t), 'f');
  const missing = await serve(t, (_request, response) => response.writeHead(404).end());
  await assert.rejects(download({ uri: missing, file, fetch }), /answered 404 Not Found$/);
  const long = await serve(t, (_request, response) => response.end('x'.repeat(100)));
  await assert.rejects(download({ uri: long, file, fetch, bytesMax: 99 }), /has more than 99 bytes/);
  const silent = await serve(t, (_request, response) => response.write('x'));
  await assert.rejects(download({ uri: silent, file, fetch, idleMs: 50 }), /sent nothing for 0.05 s/);
  const mute = await serve(t, () => {});
  await assert.rejects(download({ uri: mute, file, fetch, idleMs: 50 }), /sent nothing for 0.05 s/);
});

test('a file is an ONNX model, or keeps its name for a server of others', async (t) => {
  const onnx = await place(t, Buffer.from('onnx'));
  assert.deepEqual(await readdir(onnx.folder), ['model.onnx']);
  const other = await place(t, Buffer.from('pickle'), { keepAs: 'model.joblib' });
  assert.deepEqual(await readdir(other.folder), ['model.joblib']);
});

test('of an archive come the files of a model, wherever they lie, and nothing beside its folder', async (t) => {
  const tar = await tarOf({
    'mine/graph.onnx': 'f',
    'mine/weights.safetensors': 'w',
    'mine/README': 'r',
    '../../config.json': '{}',
  });
  for (const content of [tar, gzipSync(tar)]) {
    const { folder } = await place(t, content);
    const files = ['.download', 'config.json', 'graph.onnx', 'weights.safetensors'];
    assert.deepEqual((await readdir(folder)).sort(), files);
    assert.equal(await readFile(join(folder, 'weights.safetensors'), 'utf8'), 'w');
  }
  const whole = await place(t, gzipSync(tar), { keepAs: 'm.tgz' });
  assert.deepEqual(whole.placed.sort(), [
    'config.json',
    'mine/README',
    'mine/graph.onnx',
    'mine/weights.safetensors',
  ]);
});

test('an archive that is too large, has no model, is cut short or is a zip says so', async (t) => {
  const tar = await tarOf({ 'model.onnx': 'x'.repeat(5000) });
  await assert.rejects(place(t, gzipSync(tar), { bytesMax: 4999 }), /unpacks to more than 4999 bytes/);
  await assert.rejects(
    place(t, await tarOf({ readme: 'x' })),
    /has none of the files of a model: graph.onnx/,
  );
  await assert.rejects(place(t, tar.subarray(0, 3000)), /Unexpected end of data/);
  await assert.rejects(place(t, Buffer.from('PK\u0003\u0004rest')), /a zip archive is not unpacked/);
});
