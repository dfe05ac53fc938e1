import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { FakeClock, systemClock } from '../../base/clock.ts';
import { LinkDirection } from './link.ts';
import { createLink, startRelay } from './relay.ts';

test('bytes arrive after their serialisation time and the delay, behind what was sent before', async () => {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const direction = new LinkDirection(clock, { delayMs: 40, bitsPerSecond: 1_000_000 });
  const arrivals: number[] = [];
  direction.send(12_500, () => arrivals.push(clock.nowMs() - startMs));
  direction.send(12_500, () => arrivals.push(clock.nowMs() - startMs));
  await clock.advance(1000);
  assert.deepEqual(arrivals, [140, 240]);
  assert.equal(direction.bytes, 25_000);
});

test('a relayed request takes at least two round trips of the link: one to connect, one to ask', async (t) => {
  const port = await echoServer(t);
  const link = createLink(systemClock, { delayMs: 25, bitsPerSecond: 1e9 });
  const relay = await startRelay({
    target: { host: '127.0.0.1', port },
    host: '127.0.0.1',
    link,
    clock: systemClock,
  });
  t.after(() => relay.stop());
  const startMs = performance.now();
  assert.equal(await roundTrip(relay.port, 'ping'), 'ping');
  assert.ok(performance.now() - startMs >= 99, `took ${performance.now() - startMs} ms`);
  assert.deepEqual(relay.counters(), { upBytes: 4, downBytes: 4 });
});

test('a large transfer survives the bound on bytes in flight, in order', async (t) => {
  const port = await echoServer(t);
  const link = createLink(systemClock, { delayMs: 1, bitsPerSecond: 1e9 });
  const relay = await startRelay({
    target: { host: '127.0.0.1', port },
    host: '127.0.0.1',
    link,
    clock: systemClock,
  });
  t.after(() => relay.stop());
  const text = Array.from({ length: 600_000 }, (_, i) => String(i % 10_000).padStart(4, '0')).join(' ');
  assert.ok((await roundTrip(relay.port, text)) === text);
});

async function echoServer(t: TestContext): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

function roundTrip(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(text));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks).toString()));
    socket.on('error', reject);
  });
}
