import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { Unavailable } from '../../../mesh/unavailable.ts';
import { refuseHeld } from './refuse-held.ts';

/** A connection that was taken as the load balancer takes them, and is refused at once. */
async function refused(t: TestContext): Promise<net.Socket> {
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    refuseHeld(socket, new Unavailable('nobody came', 7));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  return client;
}

test('who speaks HTTP/1 is told when to try again', async (t) => {
  const client = await refused(t);
  client.write(`POST /v1/models/m:predict HTTP/1.1\r\nhost: m\r\ncontent-length: 5\r\n\r\n`);
  client.write('hello');
  const told = await text(client);
  assert.match(told, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  assert.match(told, /\r\nretry-after: 7\r\n/);
  assert.match(told, /\r\n\r\n\{"error":"nobody came"\}\n$/);
});

test('who speaks anything else, or nothing, is cut off', async (t) => {
  for (const words of ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01', undefined]) {
    const client = await refused(t);
    if (words) client.write(words);
    const [error] = await once(client, 'error').catch((failure: Error) => [failure]);
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
  }
});
