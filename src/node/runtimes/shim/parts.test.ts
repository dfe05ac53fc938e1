import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { connectRequest } from '../../../mesh/connect-head.ts';
import { answerConnect, readConnect, requestConnect } from './connect-stream.ts';
import { isEgressGranted } from './grants.ts';
import { lineBytesMax, readJsonLines, writeJsonLine } from './json-lines.ts';
import { makeSocketDir, shimPaths } from './paths.ts';
import { SocketPairs } from './socket-pairs.ts';

/** Two ends of one connection. */
async function pair(t: TestContext): Promise<[net.Socket, net.Socket]> {
  const dir = mkdtempSync(path.join(tmpdir(), 'pair-'));
  const pairs = new SocketPairs(path.join(dir, 'pair.sock'));
  await pairs.open();
  const [near, far] = await pairs.make();
  t.after(() => {
    near.destroy();
    far.destroy();
    pairs.close();
    rmSync(dir, { recursive: true });
  });
  return [near, far];
}

test('pairs that are asked for together are never mixed up', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pairs-'));
  const pairs = new SocketPairs(path.join(dir, 'pair.sock'));
  await pairs.open();
  t.after(() => {
    pairs.close();
    rmSync(dir, { recursive: true });
  });
  const made = await Promise.all(Array.from({ length: 50 }, () => pairs.make()));
  for (const [index, [near, far]] of made.entries()) {
    near.end(String(index));
    assert.equal(String(Buffer.concat(await far.toArray())), String(index));
  }
});

test('JSON lines arrive whole, in whatever pieces they come', async (t) => {
  const [near, far] = await pair(t);
  const seen: unknown[] = [];
  readJsonLines(far, (value) => seen.push(value));
  far.resume();
  const bytes = Buffer.from('{"a":"ä"}\n[1]\n"two"\n');
  for (const byte of bytes) {
    near.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  writeJsonLine(near, { last: true });
  near.end();
  await once(far, 'end');
  assert.deepEqual(seen, [{ a: 'ä' }, [1], 'two', { last: true }]);
});

test('a line that is no JSON, or never ends, ends the connection', async (t) => {
  const [near, far] = await pair(t);
  readJsonLines(far, () => {});
  far.resume();
  near.on('error', () => {});
  near.write('not json\n');
  await assert.rejects(once(far, 'close', { signal: AbortSignal.timeout(5000) }), /not JSON/);
  const [sender, receiver] = await pair(t);
  readJsonLines(receiver, () => {});
  receiver.resume();
  sender.on('error', () => {});
  const failed = assert.rejects(once(receiver, 'close'), /more than \d+ bytes/);
  sender.write(Buffer.alloc(lineBytesMax + 1, 'x'));
  await failed;
});

test('a CONNECT is read without a byte beyond it, so that the socket can go to another process', async (t) => {
  const [near, far] = await pair(t);
  const asked = requestConnect(near, '10.42.0.2', 80);
  assert.deepEqual(await readConnect(far), { ip: '10.42.0.2', port: 80 });
  await answerConnect(far, 200, 'OK');
  await asked;
  near.write('for the pod only');
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(far.bytesRead, Buffer.byteLength(connectRequest('10.42.0.2', 80)));
  assert.equal(far.readableLength, 0);
});

test('a peer that speaks before it is answered, or speaks nonsense, is refused', async (t) => {
  for (const bytes of [`${connectRequest('10.42.0.2', 80)}early`, 'GET / HTTP/1.1\r\n\r\n']) {
    const [near, far] = await pair(t);
    near.write(bytes);
    await assert.rejects(readConnect(far));
    assert.match(String(Buffer.concat(await near.toArray())), /^HTTP\/1\.1 400 /);
  }
});

test('egress is granted by host and port', () => {
  const grants = ['api.example.com:443', '*.cdn.example:80', 'db.local:*', '[fd00::1]:53'];
  const granted: [string, number][] = [
    ['api.example.com', 443],
    ['API.example.com.', 443],
    ['a.cdn.example', 80],
    ['db.local', 5432],
    ['fd00::1', 53],
  ];
  const refused: [string, number][] = [
    ['api.example.com', 80],
    ['xapi.example.com', 443],
    ['cdn.example', 80],
    ['evilcdn.example', 80],
    ['a.db.local', 5432],
  ];
  for (const [host, port] of granted) assert.equal(isEgressGranted(grants, host, port), true, host);
  for (const [host, port] of refused) assert.equal(isEgressGranted(grants, host, port), false, host);
  assert.equal(isEgressGranted(['host', ':80', ''], 'host', 80), false);
});

test('sockets move to a short private folder when the data folder is too deep', (t) => {
  const short = shimPaths('/data/node');
  assert.equal(short.control, '/data/node/shim.sock');
  const deep = shimPaths(path.join('/data', 'x'.repeat(120)));
  assert.ok(Buffer.byteLength(deep.control) <= 103);
  assert.notEqual(deep.control, shimPaths(path.join('/data', 'y'.repeat(120))).control);
  makeSocketDir(deep);
  t.after(() => rmSync(path.dirname(deep.control), { recursive: true }));
  assert.equal(statSync(path.dirname(deep.control)).mode & 0o777, 0o700);
});
