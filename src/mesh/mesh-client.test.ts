import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { openAuthority } from '../identity/authority.ts';
import { attemptsMax } from './fetch.ts';
import { createMeshClient } from './mesh-client.ts';
import type { Endpoint, RouteTable } from './route-table.ts';
import { destinationsMax, Telemetry } from './telemetry.ts';

/** A server that pods would be; answers its port. */
async function serve(t: TestContext, handler: http.RequestListener): Promise<number> {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as net.AddressInfo).port;
}

/** A client in namespace `default` whose Service `web` leads to these local ports. */
function meshTo(t: TestContext, ports: number[], where: Partial<Endpoint> = {}) {
  const dialled: number[] = [];
  const endpoints = ports.map((port) => ({
    ip: '127.0.0.1',
    port,
    node: 'a',
    zone: '',
    isLocal: true,
    spiffeIds: [],
    ...where,
  }));
  const mesh = createMeshClient({
    namespace: 'default',
    dial: async ({ host, port }) => {
      dialled.push(port);
      if (host !== '127.0.0.1') throw Object.assign(new Error('not granted'), { code: 'EEGRESS' });
      const socket = net.connect({ host, port });
      await once(socket, 'connect');
      return socket;
    },
  });
  const table: RouteTable = {
    version: '1',
    node: { name: 'a', zone: '' },
    routes: [
      {
        namespace: 'default',
        name: 'web',
        clusterIPs: [],
        preferClose: false,
        localOnly: false,
        ports: [{ name: '', port: 80, endpoints }],
      },
    ],
  };
  mesh.setTable(table);
  t.after(() => mesh.close());
  return { ...mesh, dialled };
}

async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  return port;
}

test('fetch reaches a Service by name and keeps the connection', async (t) => {
  const port = await serve(t, (request, response) => {
    response.setHeader('x-host', request.headers.host ?? '').end(`hello ${request.method} ${request.url}`);
  });
  const mesh = meshTo(t, [port]);
  for (let count = 0; count < 3; count++) {
    const response = await mesh.fetch('http://web/path?q=1');
    assert.equal(response.status, 200);
    assert.equal(response.url, 'http://web/path?q=1');
    assert.equal(response.headers.get('x-host'), 'web');
    assert.equal(await response.text(), 'hello GET /path?q=1');
  }
  assert.deepEqual(mesh.dialled, [port]);
});

test('request bodies of every kind arrive', async (t) => {
  const port = await serve(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end(`${request.headers['content-type']}|${Buffer.concat(chunks)}`));
  });
  const mesh = meshTo(t, [port]);
  const post = async (body: BodyInit, headers?: HeadersInit) =>
    (
      await mesh.fetch('http://web/', {
        method: 'POST',
        body,
        ...(headers && { headers }),
        duplex: 'half',
      } as RequestInit)
    ).text();
  assert.equal(await post('text'), 'text/plain;charset=UTF-8|text');
  assert.equal(
    await post(new URLSearchParams({ a: '1' })),
    'application/x-www-form-urlencoded;charset=UTF-8|a=1',
  );
  assert.equal(await post(new Uint8Array([104, 105]), { 'content-type': 'x/y' }), 'x/y|hi');
  assert.equal(await post(new Blob(['blob'], { type: 'a/b' })), 'a/b|blob');
  assert.equal(await post(new Blob(['one ', 'two']).stream()), 'undefined|one two');
  const request = new Request('http://web/', { method: 'POST', body: 'of a Request' });
  assert.equal(await (await mesh.fetch(request)).text(), 'text/plain;charset=UTF-8|of a Request');
});

test('a response streams as it comes', async (t) => {
  let finish = () => {};
  const port = await serve(t, (_request, response) => {
    response.write('first');
    finish = () => response.end(' last');
  });
  const mesh = meshTo(t, [port]);
  const response = await mesh.fetch('http://web/');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, 'first');
  finish();
  assert.equal((await reader.read()).value, ' last');
});

test('a body that came whole reads as any other, and only once', async (t) => {
  const port = await serve(t, (_request, response) =>
    response.setHeader('content-type', 'a/b').end('{"a":"ä"}'),
  );
  const mesh = meshTo(t, [port]);
  const get = () => mesh.fetch('http://web/');
  assert.deepEqual(await (await get()).json(), { a: 'ä' });
  assert.equal(Buffer.from(await (await get()).arrayBuffer()).toString(), '{"a":"ä"}');
  assert.equal((await (await get()).blob()).type, 'a/b');
  assert.equal(await new Response((await get()).body).text(), '{"a":"ä"}');
  const response = await get();
  const copy = response.clone();
  assert.equal(copy.url, 'http://web/');
  assert.equal(response.bodyUsed, false);
  assert.equal(await response.text(), await copy.text());
  assert.equal(response.bodyUsed, true);
  await assert.rejects(response.text(), TypeError);
  await assert.rejects(response.json(), TypeError);
  assert.throws(() => response.clone(), TypeError);
  const streamed = await get();
  const reader = streamed.body!.getReader();
  assert.equal(Buffer.from((await reader.read()).value!).toString(), '{"a":"ä"}');
  await assert.rejects(streamed.text(), TypeError);
});

test('compressed responses are decoded', async (t) => {
  const port = await serve(t, (_request, response) => {
    response.setHeader('content-encoding', 'gzip').end(gzipSync('small'));
  });
  const response = await meshTo(t, [port]).fetch('http://web/');
  assert.equal(response.headers.has('content-encoding'), false, 'so that it can be passed on');
  assert.equal(await response.text(), 'small');
});

test('HEAD, 204 and errors have the body that they should', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/none') response.writeHead(204).end();
    else response.writeHead(500, { 'content-length': '4' }).end('oops');
  });
  const mesh = meshTo(t, [port]);
  const head = await mesh.fetch('http://web/', { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '4');
  assert.equal(await head.text(), '');
  assert.equal((await mesh.fetch('http://web/none')).body, null);
  const failed = await mesh.fetch('http://web/');
  assert.equal(failed.ok, false);
  assert.equal(await failed.text(), 'oops');
});

test('redirects are followed, or not, as asked', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/end')
      response.end(`${request.method} ${request.headers.authorization ?? 'nobody'}`);
    else response.writeHead(request.url === '/303' ? 303 : 302, { location: '/end' }).end('moved');
  });
  const mesh = meshTo(t, [port]);
  const followed = await mesh.fetch('http://web/303', {
    method: 'POST',
    body: 'x',
    headers: { authorization: 'me' },
  });
  assert.equal(followed.redirected, true);
  assert.equal(followed.url, 'http://web/end');
  assert.equal(await followed.text(), 'GET me');
  assert.equal((await mesh.fetch('http://web/', { redirect: 'manual' })).status, 302);
  await assert.rejects(mesh.fetch('http://web/', { redirect: 'error' }), /unexpected redirect/);
});

test('an endless redirect ends', async (t) => {
  const port = await serve(t, (_request, response) => response.writeHead(302, { location: '/again' }).end());
  await assert.rejects(meshTo(t, [port]).fetch('http://web/'), /more than 20 redirects/);
});

test('a refused connection is tried on another endpoint, whose failing peer is then left alone', async (t) => {
  const dead = await closedPort();
  const port = await serve(t, (request, response) => {
    request.pipe(response);
  });
  const mesh = meshTo(t, [dead, port]);
  for (let count = 0; count < 4; count++) {
    const response = await mesh.fetch('http://web/', { method: 'POST', body: 'payload' });
    assert.equal(await response.text(), 'payload');
  }
  assert.equal(mesh.dialled.filter((dialled) => dialled === dead).length, 1);
});

test('a streamed body survives a refused connection', async (t) => {
  const dead = await closedPort();
  const port = await serve(t, (request, response) => {
    request.pipe(response);
  });
  const mesh = meshTo(t, [dead, port]);
  const body = new Blob(['streamed']).stream();
  const response = await mesh.fetch('http://web/', { method: 'POST', body, duplex: 'half' } as RequestInit);
  assert.equal(await response.text(), 'streamed');
});

test('when no endpoint answers, fetch gives up after a few', async (t) => {
  const dead = await Promise.all(Array.from({ length: attemptsMax + 2 }, closedPort));
  const mesh = meshTo(t, dead);
  await assert.rejects(mesh.fetch('http://web/'), /fetch\("http:\/\/web\/"\): .*ECONNREFUSED/);
  assert.equal(mesh.dialled.length, attemptsMax);
});

test('a request that may have been carried out is not repeated unless it is idempotent', async (t) => {
  const seen: string[] = [];
  const port = await serve(t, (request) => {
    seen.push(request.method!);
    request.socket.destroy();
  });
  const mesh = meshTo(t, [port]);
  await assert.rejects(mesh.fetch('http://web/', { method: 'POST', body: 'order' }));
  assert.deepEqual(seen, ['POST']);
  await assert.rejects(mesh.fetch('http://web/'));
  assert.deepEqual(seen, ['POST', ...Array.from({ length: attemptsMax }, () => 'GET')]);
});

test('an abort ends the request, before and after the response began', async (t) => {
  const closed = Promise.withResolvers<void>();
  const port = await serve(t, (request, response) => {
    if (request.url === '/body') response.write('begun');
    request.once('close', () => closed.resolve());
  });
  const mesh = meshTo(t, [port]);
  const waiting = new AbortController();
  const pending = mesh.fetch('http://web/', { signal: waiting.signal });
  setImmediate(() => waiting.abort(new Error('enough')));
  await assert.rejects(pending, /enough/);
  const reading = new AbortController();
  const response = await mesh.fetch('http://web/body', { signal: reading.signal });
  reading.abort();
  await assert.rejects(response.text());
  await closed.promise;
});

test('errors advise', async (t) => {
  const mesh = meshTo(t, []);
  await assert.rejects(mesh.fetch('http://wbe/'), {
    name: 'TypeError',
    message: 'fetch("http://wbe/"): no Service "wbe" in namespace "default"; did you mean "web"?',
  });
  await assert.rejects(mesh.fetch('http://web/'), /has no ready endpoints/);
  await assert.rejects(mesh.fetch('http://example.com/'), /selvage\.dev\/egress: "example\.com:80"/);
});

test('what is granted outside the mesh is dialled as it is named', async (t) => {
  const port = await serve(t, (_request, response) => response.end('outside'));
  const mesh = meshTo(t, []);
  assert.equal(await (await mesh.fetch(`http://127.0.0.1:${port}/`)).text(), 'outside');
});

test('http.request finds Services too', async (t) => {
  const port = await serve(t, (_request, response) => response.end('by agent'));
  const mesh = meshTo(t, [port]);
  const request = http.get({ agent: mesh.httpAgent, host: 'web' });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  assert.equal(String(await response.toArray()), 'by agent');
});

test('requests are counted by destination and status', async (t) => {
  const port = await serve(t, (_request, response) => response.writeHead(404).end());
  const mesh = meshTo(t, [port]);
  await (await mesh.fetch('http://web/')).text();
  await assert.rejects(mesh.fetch('http://example.com/'));
  await new Promise((resolve) => setImmediate(resolve));
  const rows = mesh.telemetry
    .take()
    .map(({ destination, status, count }) => ({ destination, status, count }));
  assert.deepEqual(rows, [
    { destination: 'web.default', status: 404, count: 1 },
    { destination: 'example.com', status: 0, count: 1 },
  ]);
  assert.deepEqual(mesh.telemetry.take(), []);
});

test('telemetry tells only so many destinations apart', () => {
  const telemetry = new Telemetry();
  for (let index = 0; index < destinationsMax + 10; index++) telemetry.observe(`d${index}`, 200, 0.003);
  const rows = telemetry.take();
  assert.equal(rows.length, destinationsMax + 1);
  assert.equal(rows.at(-1)?.destination, 'other');
  assert.equal(rows.at(-1)?.count, 10);
});

test('a call to another node is mutual TLS, and the peer must be who the Service says', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'mesh-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const authority = openAuthority({ dir });
  const issue = (account: string) => {
    const issued = authority.issue({
      commonName: account,
      uris: [`spiffe://cluster.local/ns/default/sa/${account}`],
      usages: ['client', 'server'],
      lifetimeSeconds: 3600,
    });
    return { certificate: issued.chainPem, privateKey: issued.privateKeyPem, trustBundle: authority.caPem };
  };
  const identity = issue('web');
  const resumed: boolean[] = [];
  const server = tls.createServer(
    { cert: identity.certificate, key: identity.privateKey, ca: identity.trustBundle, requestCert: true },
    (socket) => {
      resumed.push(socket.isSessionReused());
      backend.emit('connection', socket);
    },
  );
  const backend = http.createServer((request, response) => {
    const { subjectaltname } = (request.socket as tls.TLSSocket).getPeerCertificate();
    response.setHeader('connection', 'close').end(subjectaltname);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const remote = (account: string) =>
    meshTo(t, [port], {
      node: 'b',
      isLocal: false,
      meshAddress: 'b:1',
      spiffeIds: [`spiffe://cluster.local/ns/default/sa/${account}`],
    });

  const mesh = remote('web');
  await assert.rejects(mesh.fetch('http://web/'), /this pod has no mesh identity yet/);
  mesh.setIdentity(issue('caller'));
  for (let count = 0; count < 2; count++) {
    const response = await mesh.fetch('http://web/');
    assert.equal(await response.text(), 'URI:spiffe://cluster.local/ns/default/sa/caller');
  }
  assert.deepEqual(resumed, [false, true], 'the second connection resumes the session');

  const wary = remote('somebody-else');
  wary.setIdentity(issue('caller'));
  await assert.rejects(
    wary.fetch('http://web/'),
    /peer identifies as spiffe:.*\/sa\/web, expected .*somebody-else/,
  );
});

test('a Service that speaks TLS itself must have a certificate of the cluster for its own name', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'mesh-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const authority = openAuthority({ dir: path.join(dir, 'ca') });
  const issued = authority.issue({
    commonName: 'server',
    dnsNames: ['web.default.svc'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  const server = https
    .createServer({ cert: issued.chainPem, key: issued.privateKeyPem }, (_request, response) =>
      response.end('secure'),
    )
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const mesh = meshTo(t, [(server.address() as net.AddressInfo).port], { node: '', isLocal: false });
  await assert.rejects(mesh.fetch('https://web.default.svc:80/'), /certificate/);
  mesh.setIdentity({
    certificate: issued.certificatePem,
    privateKey: issued.privateKeyPem,
    trustBundle: authority.caPem,
  });
  assert.equal(await (await mesh.fetch('https://web.default.svc:80/')).text(), 'secure');
  await assert.rejects(mesh.fetch('https://web:80/'), /does not match|altnames/);
});
