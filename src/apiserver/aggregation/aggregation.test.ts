import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { until } from '../../base/until.ts';
import { openAuthority } from '../../identity/authority.ts';
import { openWatch, send, take } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

const waitMs = 60_000;
const at = '/apis/wardle.example.com/v1alpha1';
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices';
const name = 'v1alpha1.wardle.example.com';

interface Backend {
  port: number;
  /** How many connections it has taken. */
  connections: number;
  /** Who was named by whom, for every request: `certificate: user [groups] {extra}`. */
  seen: string[];
  caPem: string;
  isWell: boolean;
  /** Ends the connections that wait for a request. */
  closeIdle: () => void;
}

interface Cluster {
  running: TestServer;
  backend: Backend;
  /** Registers the backend behind the Service `wardle`, whose one pod it is. */
  register(spec?: object): Promise<void>;
  available(): Promise<{ status: string; reason: string; message: string } | undefined>;
}

const resources = [
  {
    name: 'flunders',
    singularName: 'flunder',
    namespaced: true,
    kind: 'Flunder',
    verbs: ['get', 'list', 'watch'],
  },
  { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
];

/** Another API server, which believes nobody without the front proxy's certificate. */
function answers(backend: Backend) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const { 'x-remote-user': user, 'x-remote-group': groups, ...others } = request.headers;
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    const extra = Object.entries(others).filter(([header]) => header.startsWith('x-remote-extra-'));
    backend.seen.push(`${subject?.CN}: ${user} [${groups}] ${JSON.stringify(Object.fromEntries(extra))}`);
    const json = (object: object, type = 'application/json', code = 200) => {
      response.writeHead(code, { 'content-type': type }).end(JSON.stringify(object));
    };
    if (!backend.isWell) return json({}, 'application/json', 500);
    const { pathname, searchParams } = new URL(request.url!, 'https://x');
    if (pathname === at) {
      return json({ kind: 'APIResourceList', groupVersion: 'wardle.example.com/v1alpha1', resources });
    }
    if (pathname === '/openapi/v3') {
      const entry = { serverRelativeURL: `/openapi/v3${at}?hash=1` };
      return json({ paths: { [at.slice(1)]: entry, 'apis/other/v1': entry } });
    }
    if (pathname === `/openapi/v3${at}`) return json({ openapi: '3.0.0', paths: { mine: {} } });
    if (pathname === '/openapi/v2') {
      const pretty = { in: 'query', name: 'pretty', type: 'string', description: 'shared' };
      const schema = { $ref: '#/definitions/io.k8s.api.core.v1.Pod' };
      const get = {
        operationId: 'listFlunders',
        parameters: [],
        responses: { 200: { description: 'OK', schema } },
      };
      const paths = {
        [`${at}/flunders`]: { get, parameters: [{ $ref: '#/parameters/pretty' }] },
        '/version/': { get },
      };
      const definitions = { 'io.k8s.api.core.v1.Pod': { type: 'object', description: 'mine' }, Unused: {} };
      return json({ swagger: '2.0', paths, definitions, parameters: { pretty } });
    }
    if (searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' });
      const event = (flunder: string) => ({ type: 'ADDED', object: { metadata: { name: flunder } } });
      response.write(`${JSON.stringify(event('one'))}\n`);
      request.once('close', () => backend.seen.push('watch ended'));
      setTimeout(() => response.write(`${JSON.stringify(event('two'))}\n`), 20);
      return;
    }
    if (pathname === `${at}/namespaces/default/flunders/one`)
      return json({ kind: 'Flunder', metadata: { name: 'one' } });
    void text(request).then((body) =>
      json({ kind: 'Status', code: 404, message: body }, 'application/json', 404),
    );
  };
}

async function cluster(t: TestContext): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-aggregation-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [front, own] = ['front', 'own'].map((each) => openAuthority({ dir: join(dir, each) }));
  const issued = own!.issue({
    commonName: 'wardle',
    dnsNames: ['wardle.default.svc'],
    usages: ['server'],
    lifetimeSeconds: 600,
  });
  const proxy = front!.issue({ commonName: 'front-proxy-client', usages: ['client'], lifetimeSeconds: 600 });
  const backend: Backend = {
    port: 0,
    connections: 0,
    seen: [],
    caPem: own!.caPem,
    isWell: true,
    closeIdle: () => server.closeIdleConnections(),
  };
  const server = createServer(
    {
      cert: issued.chainPem,
      key: issued.privateKeyPem,
      ca: front!.caPem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    answers(backend),
  );
  server.on('upgrade', (request, socket) => {
    backend.seen.push(`upgrade as ${request.headers['x-remote-user']}`);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  server.keepAliveTimeout = waitMs;
  server.on('secureConnection', () => backend.connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  backend.port = (server.address() as AddressInfo).port;
  const running = await startTestServer({
    frontProxy: {
      caPem: front!.caPem,
      clientCaPem: 'clients',
      allowedNames: ['front-proxy-client'],
      current: () => ({ certPem: proxy.certificatePem, keyPem: proxy.privateKeyPem }),
    },
    dialPod: async () => {
      const socket = connect(backend.port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
  });
  t.after(async () => {
    await running.close();
    server.closeAllConnections();
    server.close();
  });
  const api = running.server.transport();
  return {
    running,
    backend,
    async register(spec = {}) {
      const caBundle = Buffer.from(backend.caPem).toString('base64');
      await expose(running);
      const service = { namespace: 'default', name: 'wardle' };
      const group = { group: 'wardle.example.com', version: 'v1alpha1' };
      const priorities = { groupPriorityMinimum: 1000, versionPriority: 15 };
      const body = { metadata: { name }, spec: { ...group, ...priorities, service, caBundle, ...spec } };
      const { code, object } = await send(api, `POST ${apiServices}`, { body });
      assert.equal(code, 201, object.message);
    },
    async available() {
      const { object } = await send(api, `GET ${apiServices}/${name}`);
      return object.status?.conditions?.[0];
    },
  };
}

/** The Service, its Endpoints and its EndpointSlice, as the controllers keep them. */
async function expose(running: TestServer): Promise<void> {
  const api = running.server.transport();
  const ports = [{ port: 443, targetPort: 8443 }];
  await send(api, 'POST /api/v1/namespaces/default/services', {
    body: { metadata: { name: 'wardle' }, spec: { ports } },
  });
  const targetRef = { kind: 'Pod', name: 'wardle-0', namespace: 'default' };
  const addresses = [{ ip: '10.42.0.9', nodeName: 'n1', targetRef }];
  await send(api, 'POST /api/v1/namespaces/default/endpoints', {
    body: { metadata: { name: 'wardle' }, subsets: [{ addresses, ports: [{ port: 8443 }] }] },
  });
  await send(api, 'POST /apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    body: {
      metadata: { name: 'wardle-1', labels: { 'kubernetes.io/service-name': 'wardle' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.42.0.9'], conditions: { ready: true }, nodeName: 'n1', targetRef }],
      ports: [{ name: '', port: 8443 }],
    },
  });
}

/** A request over HTTPS, as a client makes it. */
async function ask(
  running: TestServer,
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string>; user?: string } = {},
) {
  const { certificatePem: cert, privateKeyPem: key } = running.issueClient(options.user ?? 'admin', [
    'system:masters',
  ]);
  const sent = httpsRequest({
    host: 'localhost',
    port: running.port,
    ca: running.authority.caPem,
    agent: false,
    ...{ cert, key, path, method: options.method ?? 'GET', headers: options.headers ?? {} },
  });
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { code: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Without what the API server asks for itself, which it does whenever something has changed. */
const ofPeople = ({ seen }: Backend) => seen.filter((line) => !line.includes('kube-aggregator'));

const isAvailable = ({ available }: Cluster) =>
  until('available', async () => (await available())?.status === 'True', waitMs);

test('requests for a registered version go to its server, in the name of who asks', async (t) => {
  const made = await cluster(t);
  const { running, backend } = made;
  await made.register();
  await isAvailable(made);
  assert.ok(
    backend.seen.every((line) =>
      line.startsWith('front-proxy-client: system:kube-aggregator [system:masters]'),
    ),
  );
  backend.seen.length = 0;
  const answer = await ask(running, `${at}/namespaces/default/flunders/one?pretty=1`, {
    user: 'jané',
    headers: { 'x-remote-user': 'eve', 'x-remote-extra-scopes': 'all', authorization: 'Basic eA==' },
  });
  assert.deepEqual([answer.code, JSON.parse(answer.body).kind], [200, 'Flunder']);
  const name = Buffer.from('jané').toString('latin1');
  const [seen, ...others] = ofPeople(backend);
  assert.deepEqual(others, []);
  const [who, extra] = seen!.split(/ (?={)/);
  assert.equal(who, `front-proxy-client: ${name} [system:masters, system:authenticated]`);
  assert.match(
    extra!,
    /^{"x-remote-extra-authentication.kubernetes.io%2fcredential-id":"X509SHA256=[0-9a-f]{64}"}$/,
  );
  const posted = await ask(running, `${at}/namespaces/default/flunders`, {
    method: 'POST',
    body: 'not parsed {',
  });
  assert.deepEqual([posted.code, JSON.parse(posted.body).message], [404, 'not parsed {']);
});

test('reading requests share connections, and go on when one was closed', async (t) => {
  const made = await cluster(t);
  const { running, backend } = made;
  await made.register();
  await isAvailable(made);
  const read = async () => (await ask(running, `${at}/namespaces/default/flunders/one`)).code;
  assert.equal(await read(), 200);
  const before = backend.connections;
  for (let times = 0; times < 5; times++) assert.equal(await read(), 200);
  // A check of the server's health that came meanwhile has made one of its own.
  assert.ok(backend.connections - before <= 2, `${backend.connections - before} new connections`);
  backend.closeIdle();
  assert.equal(await read(), 200);
});

test('what is known of a user beside the groups is passed on, with keys that fit into a header', async (t) => {
  const made = await cluster(t);
  await made.register();
  await isAvailable(made);
  made.backend.seen.length = 0;
  const as = { 'impersonate-user': 'joe', 'impersonate-group': 'system:masters' };
  const headers = { ...as, 'impersonate-extra-a.b%2fc': 'x' };
  await ask(made.running, `${at}/namespaces/default/flunders/one`, { headers });
  assert.deepEqual(ofPeople(made.backend), [
    'front-proxy-client: joe [system:masters, system:authenticated] {"x-remote-extra-a.b%2fc":"x"}',
  ]);
});

test('a watch comes event by event, and ends there when it ends here', async (t) => {
  const made = await cluster(t);
  await made.register();
  await isAvailable(made);
  const gone = new AbortController();
  const events = await openWatch(made.running.server.transport(), `GET ${at}/flunders?watch=true`, {
    signal: gone.signal,
  });
  assert.deepEqual(await take(events, 2), ['ADDED one', 'ADDED two']);
  gone.abort();
  await until('the watch ends', () => made.backend.seen.includes('watch ended'), waitMs);
});

test('an upgrade goes through, in the name of who asks', async (t) => {
  const made = await cluster(t);
  await made.register();
  await isAvailable(made);
  const { certificatePem: cert, privateKeyPem: key } = made.running.issueClient('jane');
  const sent = httpsRequest({
    host: 'localhost',
    port: made.running.port,
    ca: made.running.authority.caPem,
    agent: false,
    ...{ cert, key, path: `${at}/namespaces/default/flunders/one/shell` },
    headers: { connection: 'Upgrade', upgrade: 'echo' },
  });
  sent.end();
  const [response, socket] = await once(sent, 'upgrade');
  assert.equal(response.statusCode, 101);
  socket.write('hello');
  const [echo] = await once(socket, 'data');
  assert.equal(String(echo), 'hello');
  socket.destroy();
  assert.ok(made.backend.seen.includes('upgrade as jane'));
});

test('until its server is found well a version is unavailable, and the condition says why in Kubernetes’ words', async (t) => {
  const made = await cluster(t);
  const { running, backend, available } = made;
  const api = running.server.transport();
  const reason = (wanted: string) =>
    until(wanted, async () => (await available())?.reason === wanted, waitMs);
  const service = { namespace: 'default', name: 'gone' };
  backend.isWell = false;
  await made.register({ service });
  await reason('ServiceNotFound');
  assert.equal((await available())?.message, 'service/gone in "default" is not present');
  const early = await ask(running, `${at}/flunders`);
  assert.deepEqual(
    [early.code, early.body, early.headers['content-type']],
    [503, 'service unavailable\n', 'text/plain; charset=utf-8'],
  );
  const change = (spec: object) =>
    send(api, `PATCH ${apiServices}/${name}`, {
      body: { spec },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  await change({ service: { name: 'wardle', port: 444 } });
  await reason('ServicePortError');
  assert.equal((await available())?.message, 'service/wardle in "default" is not listening on port 444');
  await change({ service: { port: 443 } });
  await reason('FailedDiscoveryCheck');
  const url = `https://wardle.default.svc:443${at}`;
  assert.equal(
    (await available())?.message,
    `failing or missing response from ${url}: bad status from ${url}: 500`,
  );
  backend.isWell = true;
  await isAvailable(made);
  assert.deepEqual((await available())?.message, 'all checks passed');
  await change({ caBundle: Buffer.from(running.authority.caPem).toString('base64') });
  const untrusted = await until(
    'no longer trusted',
    async () => {
      const answer = await ask(running, `${at}/flunders`);
      return answer.code === 503 && answer;
    },
    waitMs,
  );
  assert.match(untrusted.body, /^error trying to reach service: .*certificate/);
  assert.equal((await available())?.status, 'True');
  await change({ caBundle: null, insecureSkipTLSVerify: true });
  await isAvailable(made);
  await send(api, 'DELETE /api/v1/namespaces/default/endpoints/wardle');
  await reason('EndpointsNotFound');
});

test('discovery, in both forms, and OpenAPI tell of the version; while its server is gone it is stale', async (t) => {
  const made = await cluster(t);
  const { running, backend } = made;
  const api = running.server.transport();
  await made.register();
  await isAvailable(made);
  const { object: groups } = await send(api, 'GET /apis');
  const group = groups.groups.find((one: { name: string }) => one.name === 'wardle.example.com');
  assert.deepEqual(group.versions, [{ groupVersion: 'wardle.example.com/v1alpha1', version: 'v1alpha1' }]);
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const aggregated = async () => {
    const { object } = await send(api, 'GET /apis', { headers: { accept } });
    const named = object.items!.find(({ metadata }) => metadata?.name === 'wardle.example.com');
    return (named as unknown as { versions: { freshness: string; resources: { resource: string }[] }[] })
      .versions[0]!;
  };
  const { freshness, resources } = await aggregated();
  assert.deepEqual([freshness, resources.map(({ resource }) => resource)], ['Current', ['flunders']]);
  assert.equal((await send(api, `GET ${at}`)).object.resources.length, 2);
  const { object: index } = await send(api, 'GET /openapi/v3');
  assert.deepEqual(index.paths[at.slice(1)], { serverRelativeURL: `/openapi/v3${at}?hash=1` });
  assert.equal(index.paths['apis/other/v1'], undefined);
  assert.deepEqual((await send(api, `GET /openapi/v3${at}`)).object.paths, { mine: {} });
  const v2 = JSON.parse((await ask(running, '/openapi/v2')).body);
  assert.equal(v2.paths[`${at}/flunders`].get.parameters[0].description, 'shared');
  const protobuf = { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' };
  const encoded = await ask(running, '/openapi/v2', { headers: protobuf });
  assert.deepEqual([encoded.code, encoded.body.includes('listFlunders')], [200, true]);
  const { $ref } = v2.paths[`${at}/flunders`].get.responses[200].schema;
  assert.equal($ref, '#/definitions/io.k8s.api.core.v1.Pod_v2');
  assert.equal(v2.definitions['io.k8s.api.core.v1.Pod_v2'].description, 'mine');
  assert.deepEqual([v2.paths['/version/'], v2.definitions.Unused], [undefined, undefined]);
  backend.isWell = false;
  // Whatever changes behind it makes it be looked at again.
  await send(api, 'PATCH /api/v1/namespaces/default/services/wardle', {
    body: { metadata: { labels: { a: 'b' } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  await until('stale', async () => (await aggregated()).freshness === 'Stale', waitMs);
  assert.equal((await aggregated()).resources.length, 1);
  await send(api, `DELETE ${apiServices}/${name}`);
  await until('gone', async () => (await send(api, `GET ${at}`)).code === 404, waitMs);
});

test('other API servers find in kube-system whom to believe', async (t) => {
  const { running } = await cluster(t);
  const api = running.server.transport();
  const { object } = await send(
    api,
    'GET /api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication',
  );
  assert.equal(object.data['client-ca-file'], 'clients');
  assert.match(object.data['requestheader-client-ca-file'], /^-----BEGIN CERTIFICATE/);
  assert.equal(object.data['requestheader-allowed-names'], '["front-proxy-client"]');
  assert.equal(object.data['requestheader-extra-headers-prefix'], '["X-Remote-Extra-"]');
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system';
  const role = await send(api, `GET ${rbac}/roles/extension-apiserver-authentication-reader`);
  assert.deepEqual(role.object.rules[0].resourceNames, ['extension-apiserver-authentication']);
  assert.equal(
    (await send(api, `GET ${rbac}/rolebindings/system::extension-apiserver-authentication-reader`)).code,
    200,
  );
});

test('an ExternalName Service is asked by that name, and what is in its way is said', async (t) => {
  const made = await cluster(t);
  const api = made.running.server.transport();
  const spec = { type: 'ExternalName', externalName: 'localhost' };
  await send(api, 'POST /api/v1/namespaces/default/services', {
    body: { metadata: { name: 'outside' }, spec },
  });
  const service = { namespace: 'default', name: 'outside', port: made.backend.port };
  await made.register({ service, caBundle: undefined, insecureSkipTLSVerify: true });
  await isAvailable(made);
});
