import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import type { WatchEvent } from '../../client/transport.ts';
import { framedBytesMax, framedMax, framedNow, writeEvents } from './write-events.ts';

/** A server whose every answer is this watch. */
async function serving(events: () => AsyncIterable<WatchEvent>): Promise<{ port: number; close(): void }> {
  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    writeEvents({ request, response, signal: gone.signal }, events()).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

const named = (name: string, data = ''): WatchEvent => ({
  type: 'ADDED',
  object: { metadata: { name, annotations: { data } } },
});

async function open(port: number): Promise<IncomingMessage> {
  const [response] = await once(get({ host: '127.0.0.1', port, agent: false }), 'response');
  return response;
}

async function linesOf(response: AsyncIterable<Buffer>): Promise<WatchEvent[]> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of response) text += decoder.decode(bytes, { stream: true });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('what is sent arrives byte for byte, however many bytes its characters take', async () => {
  const sent = [named('één'), named('雪'), named('🌍', 'x'.repeat(framedBytesMax)), named('plain')];
  const { port, close } = await serving(async function* () {
    yield* sent;
  });
  assert.deepEqual(await linesOf(await open(port)), sent);
  close();
});

test('the same object is sent as what happened to it', async () => {
  const { object } = named('one');
  const sent: WatchEvent[] = ['ADDED', 'MODIFIED', 'DELETED', 'ADDED'].map((type) => ({
    type: type as WatchEvent['type'],
    object,
  }));
  const { port, close } = await serving(async function* () {
    yield* sent;
  });
  assert.deepEqual(await linesOf(await open(port)), sent);
  close();
});

test('a client of HTTP/1.0 is sent lines without chunks', async () => {
  const sent = [named('one'), named('two')];
  const { port, close } = await serving(async function* () {
    yield* sent;
  });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const bytes of socket) text += bytes;
  const [head, body] = text.split('\r\n\r\n');
  assert.doesNotMatch(head!, /transfer-encoding/i);
  assert.equal(body, sent.map((event) => `${JSON.stringify(event)}\n`).join(''));
  close();
});

test('a watcher that does not read holds up its own watch, and misses nothing when it reads', async () => {
  const count = 3000;
  let taken = 0;
  const { port, close } = await serving(async function* () {
    for (; taken < count; taken++) yield named(`pod-${taken}`, 'x'.repeat(30_000));
  });
  const response = await open(port);
  let before = -1;
  while (taken !== before) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(taken < count, `all ${taken} were written to a client that reads nothing`);
  const lines = await linesOf(response);
  assert.deepEqual(
    lines.map(({ object }) => object.metadata!.name),
    Array.from({ length: count }, (_, index) => `pod-${index}`),
  );
  close();
});

test('only the newest events are kept framed, and no large ones', async () => {
  const { port, close } = await serving(async function* () {
    for (let index = 0; index < 3 * framedMax; index++) yield named(`many-${index}`);
    for (let index = 0; index < framedMax; index++) yield named('large', 'x'.repeat(framedBytesMax));
  });
  await linesOf(await open(port));
  assert.equal(framedNow(), framedMax);
  close();
});
