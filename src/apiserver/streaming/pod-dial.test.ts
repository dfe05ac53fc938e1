import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { until } from '../../base/until.ts';
import type { PodDial } from '../service-dial.ts';
import { send } from '../test-request.ts';
import { startTestServer } from '../test-server.ts';
import { podDial } from './pod-dial.ts';

const pod = { namespace: 'default', name: 'web', ip: '10.42.0.5', port: 8443, nodeName: 'n1' };
const head = (channel: number) => Buffer.of(channel, 8443 & 255, 8443 >> 8);

/** A node whose kubelet does what `serve` says with a forwarded port. */
async function node(t: TestContext, serve: (socket: WebSocket, url: string) => void): Promise<PodDial> {
  const running = await startTestServer({ listens: false });
  t.after(() => running.close());
  const { authority } = running;
  const usages = ['server' as const, 'client' as const];
  const issued = authority.issue({
    commonName: 'n1',
    ipAddresses: ['127.0.0.1'],
    usages,
    lifetimeSeconds: 60,
  });
  const tls = { cert: issued.chainPem, key: issued.privateKeyPem, ca: authority.caPem };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true });
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'v4.channel.k8s.io' });
  sockets.on('connection', (socket, { url }) => serve(socket, url!));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  const api = running.server.transport();
  await send(api, 'POST /api/v1/nodes', { body: { metadata: { name: 'n1' } } });
  const { port } = server.address() as AddressInfo;
  const { caPem } = authority;
  const { certificatePem: certPem, privateKeyPem: keyPem } = issued;
  return podDial(running.store, () => ({ host: '127.0.0.1', port, caPem, certPem, keyPem }));
}

test('bytes go both ways through the kubelet of the node, until one side ends', async (t) => {
  const urls: string[] = [];
  const dial = await node(t, (socket, url) => {
    urls.push(url);
    for (const channel of [0, 1]) socket.send(head(channel));
    socket.on('message', (message: Buffer) => {
      assert.equal(message[0], 0);
      socket.send(Buffer.concat([Buffer.of(0), Buffer.from(message.subarray(1).toString().toUpperCase())]));
      if (message.includes('end')) socket.close(1000);
    });
  });
  const stream = await dial(pod, t.signal);
  stream.write('hello ');
  stream.write('end');
  assert.equal(await text(stream), 'HELLO END');
  assert.deepEqual(urls, ['/portForward/default/web?port=8443']);
});

test('what the node says went wrong is the error of the connection', async (t) => {
  const dial = await node(t, (socket) => {
    for (const channel of [0, 1]) socket.send(head(channel));
    socket.send(Buffer.concat([Buffer.of(1), Buffer.from('error forwarding port 8443: refused')]));
    socket.close(1000);
  });
  const stream = await dial(pod, t.signal);
  await assert.rejects(text(stream), /error forwarding port 8443: refused/);
});

test('a client that goes ends the connection, one that is told to stop never opens it', async (t) => {
  let open = 0;
  const dial = await node(t, (socket) => {
    open++;
    socket.on('close', () => open--);
  });
  const stream = await dial(pod, t.signal);
  await until('it is open', async () => open === 1);
  stream.destroy();
  await until('it is closed', async () => open === 0);
  await assert.rejects(dial(pod, AbortSignal.abort(new Error('too late'))), /too late/);
  await assert.rejects(dial({ ...pod, nodeName: 'n2' }, t.signal), /nodes "n2" not found/);
});
