import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { KubeObject } from '../../api/object.ts';
import { until } from '../../base/until.ts';
import type { Transport } from '../../client/transport.ts';
import { mergePatch, openWatch, send, take } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { type CronTab, cronTab, cronTabDefinition } from './test-definition.ts';

/** One definition in two versions: v1beta1 has hostPort, v1 has host and port. */

let running: TestServer;
let transport: Transport;
let webhook: Server;
/** What the webhook was asked. */
const asked: { desiredAPIVersion: string; names: string[] }[] = [];
let answer: ((review: Review) => object) | undefined;

before(async () => {
  running = await startTestServer({ listens: false });
  transport = running.server.transport();
  webhook = await startWebhook();
});
after(async () => {
  webhook.close();
  webhook.closeAllConnections();
  await running.close();
});

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const path = (version: string) => `/apis/stable.example.com/${version}/namespaces/default/crontabs`;

const schema = (...fields: string[]) => ({
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: Object.fromEntries(['cronSpec', ...fields].map((field) => [field, { type: 'string' }])),
      },
    },
  },
});

const twoVersions = (conversion: object) =>
  cronTabDefinition({
    spec: {
      versions: [
        { name: 'v1beta1', served: true, storage: false, deprecated: true, schema: schema('hostPort') },
        { name: 'v1', served: true, storage: true, schema: schema('host', 'port') },
      ],
      conversion,
    },
  });

async function define(conversion: object): Promise<void> {
  const made = await send(transport, `POST ${definitions}`, { body: twoVersions(conversion) });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  await until(
    'both versions are served',
    async () => (await send(transport, `GET ${path('v1beta1')}`)).code === 200,
  );
}

async function undefine(): Promise<void> {
  await send(transport, `DELETE ${definitions}/crontabs.stable.example.com`);
  await until('it is gone', async () => (await send(transport, `GET ${path('v1')}`)).code === 404);
}

test('without conversion an object is the same in every version, less what that version does not have', async () => {
  await define({ strategy: 'None' });
  await send(transport, `POST ${path('v1')}`, { body: cronTab('one', { host: 'local', port: '80' }) });
  const old = await send(transport, `GET ${path('v1beta1')}/one`);
  assert.equal(old.object.apiVersion, 'stable.example.com/v1beta1');
  assert.deepEqual(old.object.spec, { cronSpec: '* * * * *' });
  assert.equal(
    old.headers.warning,
    '299 - "stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab"',
  );
  await send(transport, `POST ${path('v1beta1')}`, { body: cronTab('two', { hostPort: 'x:1' }, 'v1beta1') });
  assert.equal(
    (running.store.get('/stable.example.com/crontabs/default/two')!.value as KubeObject).apiVersion,
    'stable.example.com/v1',
  );
  const list = await send(transport, `GET ${path('v1')}`);
  assert.deepEqual(
    list.object.items!.map(({ apiVersion }) => apiVersion),
    ['stable.example.com/v1', 'stable.example.com/v1'],
  );
  await undefine();
});

test('a webhook converts what is read, listed, watched and written, in both directions', async () => {
  await define(webhookConversion());
  const stop = new AbortController();
  const events = await openWatch(transport, `GET ${path('v1beta1')}?watch=true`, { signal: stop.signal });
  await send(transport, `POST ${path('v1')}`, { body: cronTab('one', { host: 'local', port: '80' }) });
  const { value } = await events.next();
  assert.equal(value.object.spec.hostPort, 'local:80');
  const read = await send(transport, `GET ${path('v1beta1')}/one`);
  assert.equal(read.object.spec.hostPort, 'local:80');

  const body = cronTab('two', { hostPort: 'remote:443' }, 'v1beta1');
  const made = await send(transport, `POST ${path('v1beta1')}`, { body });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  assert.deepEqual(made.object.spec, { cronSpec: '* * * * *', hostPort: 'remote:443' });
  const stored = await send(transport, `GET ${path('v1')}/two`);
  assert.deepEqual(stored.object.spec, { cronSpec: '* * * * *', host: 'remote', port: '443' });
  assert.deepEqual(await take(events, 1), ['ADDED two']);

  const patched = await mergePatch(transport, `${path('v1beta1')}/two`, {
    spec: { hostPort: 'remote:8443' },
  });
  assert.equal(patched.code, 200, JSON.stringify(patched.object));
  assert.equal((await send(transport, `GET ${path('v1')}/two`)).object.spec.port, '8443');

  const before = asked.length;
  const list = await send(transport, `GET ${path('v1beta1')}`);
  assert.deepEqual(
    list.object.items!.map((object) => (object as CronTab).spec.hostPort),
    ['local:80', 'remote:8443'],
  );
  assert.ok(asked.length - before <= 1, 'a list is converted in one go');
  stop.abort();
  await events.return?.();
  await undefine();
});

test('a webhook that fails, or answers nonsense, is told of as in Kubernetes, and nothing is stored', async () => {
  await define(webhookConversion());
  const body = cronTab('bad', { hostPort: 'x:1' }, 'v1beta1');
  const failsWith = async (why: RegExp) => {
    const { code, object } = await send(transport, `POST ${path('v1beta1')}`, { body });
    assert.equal(code, 500);
    assert.match(
      String(object.message),
      /^conversion webhook for stable\.example\.com\/v1beta1, Kind=CronTab failed: /,
    );
    assert.match(String(object.message), why);
  };
  answer = ({ request: { uid } }) => ({
    uid,
    result: { status: 'Failed', message: 'hostPort could not be parsed' },
  });
  await failsWith(/hostPort could not be parsed$/);
  answer = () => ({ uid: 'other', result: { status: 'Success' }, convertedObjects: [] });
  await failsWith(/expected response\.uid=/);
  answer = ({ request: { uid } }) => ({ uid, result: { status: 'Success' }, convertedObjects: [] });
  await failsWith(/returned 0 objects, expected 1$/);
  answer = ({ request: { uid, objects } }) => ({
    uid,
    result: { status: 'Success' },
    convertedObjects: objects.map((one) => ({
      ...one,
      apiVersion: 'stable.example.com/v1',
      metadata: { name: 'else' },
    })),
  });
  await failsWith(/must have the same name: bad != else$/);
  answer = undefined;
  assert.equal((await send(transport, `GET ${path('v1')}/bad`)).code, 404);
  await undefine();
});

test('a webhook can be a Service, known by its endpoints', async () => {
  const { port } = webhook.address() as AddressInfo;
  const service = {
    metadata: { name: 'converter' },
    spec: { ports: [{ port: 443, protocol: 'TCP', targetPort: port }] },
  };
  await send(transport, 'POST /api/v1/namespaces/default/services', {
    body: { apiVersion: 'v1', kind: 'Service', ...service },
  });
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'converter', labels: { 'kubernetes.io/service-name': 'converter' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: '', port, protocol: 'TCP' }],
  };
  const made = await send(transport, 'POST /apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    body: slice,
  });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  await define(webhookConversion({ service: { name: 'converter', namespace: 'default', path: '/convert' } }));
  await send(transport, `POST ${path('v1')}`, { body: cronTab('one', { host: 'local', port: '80' }) });
  const read = await send(transport, `GET ${path('v1beta1')}/one`);
  assert.equal(read.object.spec?.hostPort, 'local:80', JSON.stringify(read.object));
  await undefine();
});

function webhookConversion(client?: object): object {
  const { port } = webhook.address() as AddressInfo;
  const caBundle = Buffer.from(running.authority.caPem).toString('base64');
  const clientConfig = { caBundle, ...(client ?? { url: `https://127.0.0.1:${port}/convert` }) };
  return { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } };
}

interface Review {
  request: {
    uid: string;
    desiredAPIVersion: string;
    objects: { metadata: { name: string }; spec: Record<string, string> }[];
  };
}

async function startWebhook(): Promise<Server> {
  const issued = running.authority.issue({
    commonName: 'converter',
    dnsNames: ['converter.default.svc'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  const server = createServer(
    { cert: issued.chainPem, key: issued.privateKeyPem },
    async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      const { uid, desiredAPIVersion, objects } = review.request;
      asked.push({ desiredAPIVersion, names: objects.map(({ metadata }) => metadata.name) });
      const convertedObjects = objects.map((one) => ({
        ...one,
        apiVersion: desiredAPIVersion,
        spec: convert(one.spec),
      }));
      const good = { uid, result: { status: 'Success' }, convertedObjects };
      const body = {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'ConversionReview',
        response: answer?.(review) ?? good,
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function convert({ hostPort, host, port, ...spec }: Record<string, string>): object {
  if (hostPort === undefined) return { ...spec, hostPort: `${host}:${port}` };
  const [left, right] = hostPort.split(':');
  return { ...spec, host: left, port: right };
}
