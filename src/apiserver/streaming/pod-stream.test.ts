import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { until } from '../../base/until.ts';
import { send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

/** A server with one node, whose kubelet echoes what it is sent after `<method> <path>`; and a pod on it. */
async function startCluster(t: TestContext) {
  const kubelet: { port: number; sockets: Duplex[]; refusal?: string } = { port: 0, sockets: [] };
  const server: TestServer = await startTestServer({
    kubelet: () => ({ host: '127.0.0.1', port: kubelet.port, ...tls }),
  });
  t.after(() => server.close());
  const client = server.issueClient('kube-apiserver-kubelet-client');
  const tls = { caPem: server.authority.caPem, certPem: client.certificatePem, keyPem: client.privateKeyPem };
  const { chainPem, privateKeyPem } = server.authority.issue({
    commonName: 'system:node:n1',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  const node = createServer({ cert: chainPem, key: privateKeyPem, ca: tls.caPem, requestCert: true });
  node.on('upgrade', (asked: IncomingMessage, socket: Duplex, head: Buffer) => {
    kubelet.sockets.push(socket.on('error', () => {}));
    if (kubelet.refusal) return socket.end(kubelet.refusal);
    const { upgrade, 'x-stream-protocol-version': protocol, authorization } = asked.headers;
    assert.equal(authorization, undefined, 'credentials stay with the API server');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
    );
    socket.write(`${asked.method} ${asked.url}\n`);
    socket.write(head);
    socket.pipe(socket);
  });
  await once(node.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    for (const socket of kubelet.sockets) socket.destroy();
    node.close();
  });
  kubelet.port = (node.address() as AddressInfo).port;
  const transport = server.server.transport();
  await send(transport, 'POST /api/v1/nodes', { body: { metadata: { name: 'n1' } } });
  const pods = 'POST /api/v1/namespaces/default/pods';
  const containers = [{ name: 'main', image: 'app:1' }];
  await send(transport, pods, { body: { metadata: { name: 'web' }, spec: { nodeName: 'n1', containers } } });
  await send(transport, pods, { body: { metadata: { name: 'lost' }, spec: { containers } } });
  return { server, kubelet };
}

interface Answer {
  status: number;
  text: string;
  headers: IncomingMessage['headers'];
  socket?: Duplex;
}

/** Asks for an upgrade as a user of a group. */
function upgrade(
  server: TestServer,
  line: string,
  options: { group?: string; upgrade?: string } = {},
): Promise<Answer> {
  const [method, path] = line.split(' ');
  const { certificatePem: cert, privateKeyPem: key } = server.issueClient('jane', [
    options.group ?? 'system:masters',
  ]);
  const headers = {
    connection: 'Upgrade',
    upgrade: options.upgrade ?? 'SPDY/3.1',
    'x-stream-protocol-version': 'p1',
  };
  return new Promise((resolve, reject) => {
    const tls = { ca: server.authority.caPem, cert, key, agent: false };
    const asked = request({ host: '127.0.0.1', port: server.port, method, path, headers, ...tls });
    asked.on('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ status: 101, text: '', headers: response.headers, socket: socket.on('error', () => {}) });
    });
    asked.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode!, text, headers: response.headers });
    });
    asked.on('error', reject);
    asked.end();
  });
}

const pods = '/api/v1/namespaces/default/pods';

async function echoed(socket: Duplex, text: string): Promise<string> {
  let seen = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
  socket.write(text);
  await until('it is echoed', () => seen.endsWith(text));
  return seen;
}

test('a stream goes to the node of the pod, with the options that the kubelet knows', async (t) => {
  const { server, kubelet } = await startCluster(t);
  const forward = await upgrade(server, `POST ${pods}/web/portforward?ports=80&ports=443`);
  assert.equal(forward.headers['x-stream-protocol-version'], 'p1');
  const seen = await echoed(forward.socket!, 'bytes');
  assert.equal(seen, 'POST /portForward/default/web?port=80&port=443\nbytes');
  const exec = await upgrade(
    server,
    `GET ${pods}/web/exec?command=ls&command=-l&stdout=true&stderr=1&tty=false`,
  );
  const asked = await echoed(exec.socket!, '!');
  assert.equal(asked, 'GET /exec/default/web/main?output=1&error=1&command=ls&command=-l\n!');
  forward.socket!.destroy();
  await until('the node is told that the client is gone', () => kubelet.sockets[0]!.destroyed);
  kubelet.sockets[1]!.destroy();
  await until(
    'the client is told that the node is gone',
    () => exec.socket!.destroyed || exec.socket!.readableEnded,
  );
});

test('who may not, what is not there and what is wrong are answered as ever', async (t) => {
  const { server, kubelet } = await startCluster(t);
  const answerOf = async (line: string, options?: { group?: string; upgrade?: string }) => {
    const { status, text } = await upgrade(server, line, options);
    return `${status} ${JSON.parse(text).message}`;
  };
  assert.equal(
    await answerOf(`POST ${pods}/web/portforward`, { group: 'nobodies' }),
    '403 pods "web" is forbidden: User "jane" cannot create resource "pods/portforward" in API group "" in the namespace "default"',
  );
  assert.match(
    await answerOf(`GET ${pods}/web/exec`, { group: 'nobodies' }),
    /^403 .*cannot get resource "pods\/exec"/,
  );
  assert.equal(await answerOf(`POST ${pods}/nope/portforward`), '404 pods "nope" not found');
  assert.equal(await answerOf(`POST ${pods}/lost/portforward`), '400 pod lost does not have a host assigned');
  assert.equal(
    await answerOf(`POST ${pods}/web/exec?stdout=1`),
    '400 you must specify a command for the container',
  );
  assert.equal(
    await answerOf(`POST ${pods}/web/attach`),
    '400 you must specify at least 1 of stdin, stdout, stderr',
  );
  assert.match(
    await answerOf(`POST ${pods}/web/attach?stdout=1&container=x`),
    /^400 container x is not valid for pod web/,
  );
  assert.equal(
    await answerOf(`POST ${pods}/web/exec?stdout=1&command=ls`, { upgrade: 'h2c' }),
    '400 Upgrade request required',
  );
  kubelet.refusal = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 11\r\nConnection: close\r\n\r\nnot running';
  assert.equal(await answerOf(`POST ${pods}/web/portforward`), '400 not running');
});

test('an upgrade of any other path is answered as the plain request that it is', async (t) => {
  const { server } = await startCluster(t);
  const answer = await upgrade(server, `GET ${pods}/web`, { upgrade: 'websocket' });
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.text).metadata.name, 'web');
});

test('without credentials no stream is opened', async (t) => {
  const { server, kubelet } = await startCluster(t);
  const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
  const path = `${pods}/web/portforward`;
  const asked = request({
    host: '127.0.0.1',
    port: server.port,
    path,
    method: 'POST',
    headers,
    ca: server.authority.caPem,
    agent: false,
  });
  asked.end();
  const [response] = await once(asked, 'response');
  assert.equal(response.statusCode, 401);
  response.resume();
  assert.equal(kubelet.sockets.length, 0);
});

test('open streams do not keep a server from closing', async (t) => {
  const { server } = await startCluster(t);
  const { socket } = await upgrade(server, `POST ${pods}/web/portforward`);
  await echoed(socket!, 'bytes');
  await server.close();
  await until('the client is told', () => socket!.destroyed || socket!.readableEnded);
});
