import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '../../base/until.ts';
import { objectOf } from '../stored.ts';
import { mergePatch, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Cluster {
  running: TestServer;
  /** Which ports of pods were asked for. */
  dialled: string[];
  ask(method: string, path: string, options?: Asked): Promise<Answered>;
}

interface Asked {
  headers?: Record<string, string>;
  body?: string;
  user?: [name: string, ...groups: string[]];
}

interface Answered {
  code: number;
  headers: IncomingMessage['headers'];
  body: string;
}

/** An API server with the pod `web` on the node `n1`, whose every port `server` answers. */
async function cluster(t: TestContext, server: Server): Promise<Cluster> {
  const port = await listening(t, server);
  const dialled: string[] = [];
  const running = await startTestServer({
    dialPod: async (target) => {
      dialled.push(`${target.nodeName}/${target.name}:${target.port}`);
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
  });
  t.after(() => running.close());
  const api = running.server.transport();
  const made = pod('web', { nodeName: 'n1' });
  made.spec.containers[0] = { ...made.spec.containers[0]!, ports: [{ containerPort: 8080 }] } as never;
  await send(api, 'POST /api/v1/namespaces/default/pods', { body: made });
  const status = { phase: 'Running', podIP: '10.42.0.7', podIPs: [{ ip: '10.42.0.7' }] };
  await mergePatch(api, '/api/v1/namespaces/default/pods/web/status', { status });
  return { running, dialled, ask: (...asked) => ask(running, ...asked) };
}

async function ask(running: TestServer, method: string, path: string, asked: Asked = {}): Promise<Answered> {
  const [name, ...groups] = asked.user ?? ['admin', 'system:masters'];
  const { certificatePem: cert, privateKeyPem: key } = running.issueClient(name, groups);
  const headers = { host: 'api.example', ...asked.headers };
  const sent = httpsRequest({
    host: '127.0.0.1',
    port: running.port,
    ca: running.authority.caPem,
    servername: 'localhost',
    agent: false,
    ...{ cert, key, method, path, headers },
  });
  sent.end(asked.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { code: response.statusCode!, headers: response.headers, body: await text(response) };
}

const web = '/api/v1/namespaces/default/pods/web';

const mirror: Respond = async (request, response) => {
  const { method, url, headers } = request;
  const body = await text(request);
  response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] });
  response.end(JSON.stringify({ method, url, headers, body }));
};

test('every method reaches the pod with its path, query, headers and body, and its answer comes back as it is', async (t) => {
  const { ask, dialled } = await cluster(t, createServer(mirror));
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const body = method === 'GET' ? '' : 'not json {';
    const answer = await ask(method, `${web}/proxy/a%20b/c%3Fd/?q=1%2B1&watch=true`, {
      body,
      headers: {
        'content-type': 'application/json',
        'x-own': 'yes',
        ...(body && { 'content-length': '10' }),
      },
    });
    assert.equal(answer.code, 201);
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    const seen = JSON.parse(answer.body);
    assert.deepEqual([seen.method, seen.url, seen.body], [method, '/a%20b/c%3Fd/?q=1%2B1&watch=true', body]);
    assert.equal(seen.headers['x-own'], 'yes');
    assert.equal(seen.headers.host, 'api.example');
    assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen.headers['x-forwarded-uri'], `${web}/proxy/a%20b/c%3Fd/`);
  }
  const head = await ask('HEAD', `${web}/proxy/`);
  assert.deepEqual([head.code, head.body], [201, '']);
  assert.deepEqual([...new Set(dialled)], ['n1/web:8080']);
});

test('a pod sees neither the credentials of who asks, nor as whom it is asked', async (t) => {
  const { ask } = await cluster(t, createServer(mirror));
  const answer = await ask('GET', `${web}/proxy/`, {
    headers: { 'impersonate-user': 'jane', 'impersonate-group': 'system:masters', 'x-remote-user': 'eve' },
  });
  assert.equal(answer.code, 201, answer.body);
  const names = Object.keys(JSON.parse(answer.body).headers);
  assert.deepEqual(
    names.filter((name) => /impersonate|authorization|x-remote/.test(name)),
    [],
  );
});

test('the port is the one asked for, else the first one declared; a scheme may stand before the name', async (t) => {
  const running = await startTestServer({ listens: false });
  const { authority } = running;
  await running.close();
  const issued = authority.issue({
    commonName: 'pod',
    dnsNames: ['pod'],
    usages: ['server'],
    lifetimeSeconds: 60,
  });
  const tls = createTlsServer({ cert: issued.chainPem, key: issued.privateKeyPem }, mirror);
  const { ask, dialled } = await cluster(t, tls as unknown as Server);
  // Nobody can say who should have signed it, so any certificate will do.
  assert.equal((await ask('GET', `${web.replace('web', 'https:web:9443')}/proxy/x`)).code, 201);
  assert.deepEqual(dialled, ['n1/web:9443']);
  const wrong = await ask('GET', `${web.replace('web', 'ftp:web:1')}/proxy/x`);
  assert.equal(JSON.parse(wrong.body).message, 'invalid pod request "ftp:web:1"');
  assert.equal(wrong.code, 400);
});

test('without a path a client is sent to the folder, so that relative links hold', async (t) => {
  const { ask } = await cluster(t, createServer(mirror));
  const { code, headers } = await ask('GET', `${web}/proxy?a=1`);
  assert.deepEqual([code, headers.location], [301, `${web}/proxy/?a=1`]);
  assert.equal((await ask('POST', `${web}/proxy`)).code, 201);
});

test('redirects and links of pages lead back through the API', async (t) => {
  const { ask } = await cluster(
    t,
    createServer((request, response) => {
      if (request.url === '/old') return response.writeHead(302, { location: '/new?x=1' }).end();
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': '20' });
      response.end('<a href="/next">n</a>'.slice(0, 20));
    }),
  );
  const moved = await ask('GET', `${web}/proxy/old`);
  assert.deepEqual([moved.code, moved.headers.location], [302, `${web}/proxy/new?x=1`]);
  assert.equal((await ask('GET', `${web}/proxy/page`)).body, `<a href="${web}/proxy/next">n</a`);
});

test('what cannot be reached is told in a Status with 503', async (t) => {
  const running = await startTestServer({
    dialPod: () => Promise.reject(new Error('connect ECONNREFUSED 10.42.0.7:80')),
  });
  t.after(() => running.close());
  const api = running.server.transport();
  await send(api, 'POST /api/v1/namespaces/default/pods', { body: pod('web', { nodeName: 'n1' }) });
  const early = await ask(running, 'GET', `${web}/proxy/`);
  assert.deepEqual([early.code, JSON.parse(early.body).message], [400, 'address not allowed']);
  const status = { podIP: '10.42.0.7' };
  await mergePatch(api, `${web}/status`, { status });
  const { code, body } = await ask(running, 'GET', `${web}/proxy/`);
  const { kind, reason, message } = JSON.parse(body);
  const wanted = 'error trying to reach service: connect ECONNREFUSED 10.42.0.7:80';
  assert.deepEqual([code, kind, reason, message], [503, 'Status', 'ServiceUnavailable', wanted]);
  assert.equal((await ask(running, 'GET', `${web.replace('web', 'gone')}/proxy/`)).code, 404);
});

test('the right to proxy is one of its own, asked by verb', async (t) => {
  const { ask, running } = await cluster(t, createServer(mirror));
  const refused = await ask('POST', `${web}/proxy/x`, { user: ['jane'] });
  const text = `pods "web" is forbidden: User "jane" cannot create resource "pods/proxy" in API group "" in the namespace "default"`;
  assert.deepEqual([refused.code, JSON.parse(refused.body).message], [403, text]);
  const api = running.server.transport();
  const rules = [{ apiGroups: [''], resources: ['pods/proxy'], resourceNames: ['web'], verbs: ['get'] }];
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  await send(api, `POST ${rbac}/roles`, { body: { metadata: { name: 'look' }, rules } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'look' };
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }];
  await send(api, `POST ${rbac}/rolebindings`, { body: { metadata: { name: 'look' }, roleRef, subjects } });
  await until(
    'the role holds',
    async () => (await ask('GET', `${web}/proxy/x`, { user: ['jane'] })).code === 201,
    60_000,
  );
  assert.equal((await ask('POST', `${web}/proxy/x`, { user: ['jane'] })).code, 403);
});

test('a WebSocket goes through, and a refusal of one comes back', async (t) => {
  const server = createServer(mirror);
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/chat') {
      socket.end('HTTP/1.1 418 Teapot\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nshort');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) =>
      client.on('message', (message) => client.send(`${request.headers['x-forwarded-for']} ${message}`)),
    );
  });
  const { running } = await cluster(t, server);
  const { certificatePem: cert, privateKeyPem: key } = running.issueClient('admin');
  const open = (path: string) =>
    new WebSocket(`wss://localhost:${running.port}${web}/proxy${path}`, {
      ca: running.authority.caPem,
      cert,
      key,
    });
  const socket = open('/chat');
  await once(socket, 'open');
  socket.send('hello');
  const [message] = await once(socket, 'message');
  assert.equal(String(message), '127.0.0.1 hello');
  socket.close();
  await once(socket, 'close');
  const [, response] = (await once(open('/other'), 'unexpected-response')) as [unknown, IncomingMessage];
  assert.deepEqual([response.statusCode, await text(response)], [418, 'short']);
});

test('an answer comes as it is made, and ends when the client goes', async (t) => {
  let gone = false;
  const { running } = await cluster(
    t,
    createServer((request, response) => {
      response.write('one');
      request.once('close', () => {
        gone = true;
      });
    }),
  );
  const { certificatePem: cert, privateKeyPem: key } = running.issueClient('admin');
  const at = { host: 'localhost', port: running.port, ca: running.authority.caPem, agent: false };
  const sent = httpsRequest({ ...at, cert, key, path: `${web}/proxy/slow` }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const [first] = await once(response, 'data');
  assert.equal(String(first), 'one');
  sent.destroy();
  await until('the pod sees it', () => gone, 60_000);
});

test('a Service is asked by the number or name of a port, at one of its ready pods alone', async (t) => {
  const { ask, running, dialled } = await cluster(t, createServer(mirror));
  const api = running.server.transport();
  const services = '/api/v1/namespaces/default/services';
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  await send(api, `POST ${services}`, { body: { metadata: { name: 'front' }, spec: { ports } } });
  const messageOf = async (id: string) =>
    JSON.parse((await ask('GET', `${services}/${id}/proxy/`)).body).message;
  assert.equal(await messageOf('front:http'), 'endpoints "front" not found');
  const targetRef = { kind: 'Pod', name: 'web', namespace: 'default' };
  const address = { ip: '10.42.0.7', nodeName: 'n1', targetRef };
  const stranger = { ip: '192.0.2.1' };
  const subsets = [{ addresses: [address, stranger], ports: [{ name: 'http', port: 8080 }] }];
  await send(api, 'POST /api/v1/namespaces/default/endpoints', {
    body: { metadata: { name: 'front' }, subsets },
  });
  for (const id of ['front:http', 'front:80', 'http:front:80']) {
    assert.equal((await ask('GET', `${services}/${id}/proxy/`)).code, 201, id);
  }
  assert.deepEqual(dialled, ['n1/web:8080', 'n1/web:8080', 'n1/web:8080']);
  assert.equal(await messageOf('front:81'), 'no service port 81 found for service "front"');
  assert.equal(await messageOf('front:grpc'), 'no endpoints available for service "front:grpc"');
  assert.equal(await messageOf('gone:80'), 'services "gone" not found');
});

test('a node is asked at its kubelet, with the server’s own certificate; addresses of the machine itself are refused', async (t) => {
  const issuer = await startTestServer({ listens: false });
  t.after(() => issuer.close());
  const { authority } = issuer;
  const issue = (usage: 'server' | 'client', commonName: string) =>
    authority.issue({ commonName, ipAddresses: ['127.0.0.1'], usages: [usage], lifetimeSeconds: 60 });
  const { chainPem: cert, privateKeyPem: key } = issue('server', 'n1');
  const kubelet = createTlsServer(
    { cert, key, ca: authority.caPem, requestCert: true, rejectUnauthorized: true },
    mirror,
  );
  const port = await listening(t, kubelet as unknown as Server);
  const client = issue('client', 'kubelet-client');
  const running = await startTestServer({
    kubelet: () => ({
      port,
      caPem: authority.caPem,
      certPem: client.certificatePem,
      keyPem: client.privateKeyPem,
    }),
  });
  t.after(() => running.close());
  const api = running.server.transport();
  await send(api, 'POST /api/v1/nodes', { body: { metadata: { name: 'n1' } } });
  const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
  await mergePatch(api, '/api/v1/nodes/n1/status', { status: { addresses } });
  for (const id of ['n1', `n1:${port}`, `https:n1:${port}`]) {
    const { code, body } = await ask(running, 'GET', `/api/v1/nodes/${id}/proxy/stats/summary`);
    assert.deepEqual([code, JSON.parse(body).url], [201, '/stats/summary'], id);
  }
  const other = await ask(running, 'GET', '/api/v1/nodes/n1:22/proxy/');
  assert.deepEqual([other.code, JSON.parse(other.body).message], [400, 'address not allowed']);
  assert.equal((await ask(running, 'GET', '/api/v1/nodes/n2/proxy/')).code, 404);
});

test('callers in this process get objects for JSON, and bytes for all else', async (t) => {
  const { running } = await cluster(
    t,
    createServer((request, response) => {
      const isJson = request.url === '/json';
      response.setHeader('content-type', isJson ? 'application/json' : 'text/plain');
      response.end(isJson ? '{"requests":3}' : 'plain');
    }),
  );
  const transport = running.server.transport();
  assert.deepEqual((await send(transport, `GET ${web}/proxy/json`)).object, { requests: 3 });
  const asked = {
    method: 'GET' as const,
    path: `${web}/proxy/text`,
    query: new URLSearchParams(),
    headers: {},
  };
  const answer = await transport(asked);
  assert.ok(answer.kind === 'bytes');
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.bytes) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), 'plain');
});

test('connecting passes admission, which sees the path', async (t) => {
  const seen: unknown[] = [];
  const running = await startTestServer({
    admission: [
      {
        name: 'Watcher',
        validate: ({ operation, subresource, object }) => {
          if (operation === 'CONNECT') seen.push([subresource, object]);
        },
      },
    ],
  });
  t.after(() => running.close());
  const api = running.server.transport();
  await send(api, 'POST /api/v1/namespaces/default/pods', { body: pod('web') });
  await ask(running, 'GET', `${web}/proxy/a/b`);
  assert.deepEqual(seen, [['proxy', { kind: 'PodProxyOptions', apiVersion: 'v1', path: 'a/b' }]]);
  assert.ok(objectOf(running.store.get('/core/pods/default/web')!));
});
