import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { downloadCifar10 } from './cifar10-download.ts';

/** A little archive of the official one's form; its bytes hardly compress, so that it has some length. */
async function makeArchive(): Promise<Buffer> {
  const noise = Buffer.from(Array.from({ length: 30 * 3072 + 30 }, (_, index) => (index * 7919) % 251));
  for (let at = 0; at < noise.length; at += 3073) noise[at] = 3;
  return packed({ 'data_batch_1.bin': noise, 'test_batch.bin': noise.subarray(0, 3073) }, 0);
}

async function packed(files: Record<string, Buffer>, level: number): Promise<Buffer> {
  const pack = tar.pack();
  pack.entry({ name: 'cifar-10-batches-bin', type: 'directory' });
  for (const [name, bytes] of Object.entries(files))
    pack.entry({ name: `cifar-10-batches-bin/${name}` }, bytes);
  pack.finalize();
  return gzipSync(await buffer(pack), { level });
}

const archive = await makeArchive();
const md5 = createHash('md5').update(archive).digest('hex');

async function serve(t: TestContext, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'selvage-download-'));
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/cifar.tar.gz`, cacheDir: join(folder, 'cifar10'), folder };
}

/** Answers ranges as an ordinary file server does. */
const serveFile: RequestListener = (request, response) => {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start >= archive.length) return void response.writeHead(416).end();
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': archive.length - start });
  response.end(archive.subarray(start));
};

test('the archive is fetched, checked and unpacked, with progress', async (t) => {
  const { url, cacheDir, folder } = await serve(t, serveFile);
  const seen: number[] = [];
  await downloadCifar10({
    url,
    md5,
    cacheDir,
    onProgress({ receivedBytes, totalBytes }) {
      assert.equal(totalBytes, archive.length);
      seen.push(receivedBytes);
    },
  });
  assert.equal(seen.at(-1), archive.length);
  assert.deepEqual((await readdir(cacheDir)).sort(), ['data_batch_1.bin', 'test_batch.bin']);
  assert.deepEqual(await readdir(folder), ['cifar10'], 'nothing else is left behind');
});

test('an interrupted download goes on where it stopped', async (t) => {
  const ranges: (string | undefined)[] = [];
  let interrupt = () => {};
  const { url, cacheDir } = await serve(t, (request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 1) return serveFile(request, response);
    response.writeHead(200, { 'content-length': archive.length });
    response.write(archive.subarray(0, 20_000));
    interrupt = () => response.destroy();
  });
  await downloadCifar10({ url, md5, cacheDir, onProgress: () => interrupt() });
  assert.equal(ranges.length, 2);
  assert.equal(ranges[0], undefined);
  const resumedAt = Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1]);
  assert.ok(resumedAt > 0 && resumedAt <= 20_000, `resumed at ${ranges[1]}`);
  assert.equal((await stat(join(cacheDir, 'test_batch.bin'))).size, 3073);
});

test('a download that is always interrupted is given up, and a later call goes on from what came', async (t) => {
  let requests = 0;
  let isBroken = true;
  let interrupt = () => {};
  const { url, cacheDir } = await serve(t, (request, response) => {
    requests += 1;
    if (!isBroken) return serveFile(request, response);
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': archive.length - start });
    response.write(archive.subarray(start, start + 1000));
    interrupt = () => response.destroy();
  });
  await assert.rejects(
    downloadCifar10({ url, md5, cacheDir, onProgress: () => interrupt() }),
    /Cannot download .*the next try goes on from there/,
  );
  assert.equal(requests, 5);
  isBroken = false;
  await downloadCifar10({ url, md5, cacheDir });
  assert.equal(requests, 6);
  assert.ok(existsSync(join(cacheDir, 'data_batch_1.bin')));
});

test('a download that stands still is taken up again', async (t) => {
  let requests = 0;
  const { url, cacheDir } = await serve(t, (request, response) => {
    requests += 1;
    if (requests > 1) return serveFile(request, response);
    response.writeHead(200, { 'content-length': archive.length });
    response.write(archive.subarray(0, 5000));
  });
  await downloadCifar10({ url, md5, cacheDir, stallTimeoutMs: 100 });
  assert.equal(requests, 2);
});

test('a connection that breaks before the answer is tried again', async (t) => {
  let requests = 0;
  const { url, cacheDir } = await serve(t, (request, response) => {
    requests += 1;
    if (requests > 1) serveFile(request, response);
    else request.socket.destroy();
  });
  await downloadCifar10({ url, md5, cacheDir });
  assert.equal(requests, 2);
});

test('an archive with a wrong checksum is deleted and reported', async (t) => {
  const { url, cacheDir, folder } = await serve(t, serveFile);
  const wrong = '0'.repeat(32);
  await assert.rejects(
    downloadCifar10({ url, md5: wrong, cacheDir }),
    new RegExp(`came with MD5 ${md5}, expected ${wrong}`),
  );
  assert.deepEqual(await readdir(folder), []);
});

test('a server that does not answer, refuses or has no such file is given up at once', async (t) => {
  let requests = 0;
  const silent = await serve(t, () => {
    requests += 1;
  });
  const quick = { md5, connectTimeoutMs: 100 };
  await assert.rejects(downloadCifar10({ ...silent, ...quick }), /no answer within 100 ms/);
  assert.equal(requests, 1);
  const { cacheDir } = silent;
  await assert.rejects(
    downloadCifar10({ url: 'http://127.0.0.1:1/x', md5, cacheDir }),
    /Cannot download .*x: /,
  );
  const missing = await serve(t, (_request, response) => response.writeHead(404).end());
  await assert.rejects(downloadCifar10({ ...missing, ...quick }), /the server answered 404 Not Found/);
});

test('an archive that would unpack to too much is refused', async (t) => {
  const bomb = await packed({ 'data_batch_1.bin': Buffer.alloc(64 * 1024 * 1024 + 1) }, 1);
  const { url, cacheDir, folder } = await serve(t, (_request, response) => response.end(bomb));
  const sum = createHash('md5').update(bomb).digest('hex');
  await assert.rejects(downloadCifar10({ url, md5: sum, cacheDir }), /of 67108865 bytes, more than 67108864/);
  assert.deepEqual(await readdir(folder), ['cifar10.tar.gz.part'], 'the archive alone is kept');
});
