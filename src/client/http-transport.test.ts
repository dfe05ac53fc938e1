import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { rootCertificates, type TLSSocket } from 'node:tls';
import type { KindAddress } from '../api/object.ts';
import { isStatus, StatusError } from '../base/errors.ts';
import { createClient } from './create-client.ts';
import { type HttpTransport, httpTransport } from './http-transport.ts';
import { jsonLines } from './json-lines.ts';

const widget: KindAddress = {
  group: 'test',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};
/** Made for this test only: self-signed, CN=localhost, IP:127.0.0.1, valid for a hundred years. */
const pem = {
  certificate: `-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUdrGT2kSRMgJTWAtr3AAF+mgPq1gwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE1NTkxMFoYDzIxMjYxMDMw
MTU1OTEwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQKvVe1Bjvl2rXnUS3wbJPOLrvSiB+V1adWpM/3ICcDwgwooOzVuuux
XVXDVs2e9F/S6tvZh97l/PFQ3RM8AjSjo2QwYjAdBgNVHQ4EFgQUWikmudf2C0oC
d+wV0Bg28vgFuV0wHwYDVR0jBBgwFoAUWikmudf2C0oCd+wV0Bg28vgFuV0wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
HysHkm/UwPP8AK2zywRIDCpRgMCpa5vKrSmvSuA7xOMCIQCx5e84OvEo3AkxH326
Cx7Egr4cQTyA8AQBkxGWc4Ul2w==
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgq+PqWBMbPxkVTRc5
YF2SFskZ21SXhkHgU6m5qQc+zE+hRANCAAQKvVe1Bjvl2rXnUS3wbJPOLrvSiB+V
1adWpM/3ICcDwgwooOzVuuuxXVXDVs2e9F/S6tvZh97l/PFQ3RM8AjSj
-----END PRIVATE KEY-----`,
};
let handle: (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
let sockets = 0;
const transports: HttpTransport[] = [];

before(async () => {
  server = createServer(
    {
      cert: pem.certificate,
      key: pem.key,
      ca: pem.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => handle(request, response),
  );
  server.on('secureConnection', () => sockets++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

after(() => {
  for (const transport of transports) transport.close();
  server.closeAllConnections();
  server.close();
});

function connect(options: Partial<Parameters<typeof httpTransport>[0]> = {}) {
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = httpTransport({ server: address, caPem: pem.certificate, ...options });
  transports.push(transport);
  return { transport, client: createClient(transport) };
}

function answer(response: ServerResponse, code: number, object: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(object));
}

test('a request carries method, path, query, body and token over one kept connection', async () => {
  const seen: string[] = [];
  handle = async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
    answer(response, 200, { metadata: { name: 'w' } });
  };
  const { client } = connect({ token: 'secret' });
  const before = sockets;
  await client.get(widget, { namespace: 'default', name: 'w' });
  await client.patch(
    widget,
    { namespace: 'default', name: 'w' },
    { type: 'merge', body: { a: 1 } },
    { subresource: 'status' },
  );
  await client.delete(widget, { namespace: 'default', name: 'w' }, { propagationPolicy: 'Foreground' });
  assert.deepEqual(seen, [
    'GET /apis/test/v1/namespaces/default/widgets/w Bearer secret ',
    'PATCH /apis/test/v1/namespaces/default/widgets/w/status Bearer secret {"a":1}',
    'DELETE /apis/test/v1/namespaces/default/widgets/w Bearer secret ' +
      '{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground"}',
  ]);
  assert.equal(sockets - before, 1);
});

test('a failure that the server answers is thrown as the StatusError that it sent', async () => {
  handle = (_, response) =>
    answer(response, 409, new StatusError('AlreadyExists', 'widgets "w" already exists').toStatus());
  const failure = await connect()
    .client.create(widget, { metadata: { name: 'w', namespace: 'default' } })
    .catch((error: unknown) => error);
  assert.ok(isStatus(failure, 'AlreadyExists'));
  assert.equal(failure.message, 'widgets "w" already exists');
});

test('a server that is away is told with its address', async () => {
  const { client } = connect({ server: 'https://127.0.0.1:1' });
  await assert.rejects(
    client.list(widget),
    (error) =>
      isStatus(error, 'ServiceUnavailable') &&
      /cannot reach the API server at https:\/\/127.0.0.1:1: .*ECONNREFUSED/.test(error.message),
  );
});

test('a server under another authority is refused', async () => {
  const { client } = connect({ caPem: rootCertificates[0]! });
  await assert.rejects(client.list(widget), /cannot reach the API server .*self-signed/);
});

test('a server that is silent is given up after the timeout', async () => {
  handle = () => {};
  const { client } = connect({ timeoutMs: 50 });
  await assert.rejects(client.list(widget), /no answer within 50 ms/);
});

test('a watch brings its events as they come and ends when the signal aborts', async () => {
  let closed = false;
  handle = (request, response) => {
    request.on('close', () => {
      closed = true;
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    const line = JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'wörld' } } });
    // The event arrives in two pieces, cut inside a character.
    const bytes = Buffer.from(`${line}\n`);
    const cut = bytes.indexOf(Buffer.from('ö')) + 1;
    response.write(bytes.subarray(0, cut));
    setImmediate(() => response.write(bytes.subarray(cut)));
  };
  const { client } = connect();
  const stop = new AbortController();
  const names: (string | undefined)[] = [];
  for await (const event of client.watch(widget, { signal: stop.signal })) {
    names.push(event.object.metadata?.name);
    stop.abort();
  }
  assert.deepEqual(names, ['wörld']);
  for (let i = 0; i < 100 && !closed; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(closed, 'the server sees the watch end');
});

test('a watch whose server dies throws ServiceUnavailable', async () => {
  handle = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"type":"ADDED","object":{}}\n');
    setImmediate(() => response.destroy());
  };
  const events = connect().client.watch(widget);
  await assert.rejects(async () => {
    for await (const event of events) assert.equal(event.type, 'ADDED');
  }, /cannot reach the API server/);
});

test('a kept connection that the server has given up costs a reader nothing', async () => {
  const used = new Set<unknown>();
  handle = (request, response) => {
    if (used.has(request.socket)) request.socket.destroy();
    else answer(response, 200, { items: [] });
    used.add(request.socket);
  };
  const { client } = connect();
  await client.list(widget);
  await client.list(widget);
  assert.equal(used.size, 2);
  await assert.rejects(
    client.delete(widget, { namespace: 'default', name: 'w' }),
    /cannot reach the API server/,
  );
});

test('replaced credentials are used for the next request, on a new connection', async () => {
  const seen: string[] = [];
  handle = (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    seen.push(`${request.headers.authorization} ${peer.subject?.CN}`);
    answer(response, 200, { items: [] });
  };
  const { client, transport } = connect({ token: 'first' });
  await client.list(widget);
  transport.replaceCredentials({ clientCertificatePem: pem.certificate, clientKeyPem: pem.key });
  await client.list(widget);
  assert.deepEqual(seen, ['Bearer first undefined', 'undefined localhost']);
});

test('a watch event over the bound is refused before it fills the memory', async () => {
  async function* endless() {
    for (;;) yield Buffer.alloc(1000, 'a');
  }
  await assert.rejects(async () => {
    for await (const _ of jsonLines(endless(), 10_000)) assert.fail('no event can come');
  }, /watch event of over 10000 bytes/);
});
