// What the conformance descriptions promise of custom resources: definitions, OpenAPI, webhooks, validation of fields.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type Answer, mergePatch, openWatch, send, take } from '../../src/apiserver/test-request.ts';
import { startTestServer, type TestServer } from '../../src/apiserver/test-server.ts';
import { until } from '../../src/base/until.ts';
import type { Transport } from '../../src/client/transport.ts';
import { type Endpoint, exchange } from './answers/exchange.ts';

const waitMs = 60_000;
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const registration = '/apis/admissionregistration.k8s.io/v1';
const text = { type: 'string' };
const openObject = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

let running: TestServer;
let api: Transport;
let hooks: Server;
let hooksAt: string;
type Review = { request: Answer };
/** What the webhooks answer, by path. */
const answers = new Map<string, (review: Review) => object>();

before(async () => {
  running = await startTestServer();
  api = running.server.transport();
  const { chainPem, privateKeyPem } = running.authority.issue({
    commonName: 'webhook',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  hooks = createServer({ cert: chainPem, key: privateKeyPem }, (request, response) => {
    void answer(request, response);
  });
  await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve));
  hooksAt = `https://127.0.0.1:${(hooks.address() as AddressInfo).port}`;
});
after(async () => {
  hooks.closeAllConnections();
  hooks.close();
  await running.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += chunk;
  const review = JSON.parse(body) as Review;
  const made = { uid: review.request.uid, ...answers.get(new URL(request.url!, hooksAt).pathname)!(review) };
  response.end(
    JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: made }),
  );
}

/** For what does not go through the transport of this process: text as it is. */
function endpoint(): Endpoint {
  const { certificatePem: cert, privateKeyPem: key } = running.issueClient('somebody');
  return { host: '127.0.0.1', port: running.port, ca: running.authority.caPem, cert, key };
}

const patch = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

interface Version {
  name: string;
  served?: boolean;
  storage?: boolean;
  schema?: object;
  more?: object;
}

/** A definition of `<plural>.<group>`, and where its objects are in each version. */
function definition(plural: string, versions: Version[], group = 'conformance.example.com') {
  const kind = plural[0]!.toUpperCase() + plural.slice(1, -1);
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { plural } },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: plural.slice(0, -1), kind },
      versions: versions.map(({ name, served = true, storage = false, schema = openObject, more }) => ({
        ...{ name, served, storage, schema: { openAPIV3Schema: schema } },
        ...more,
      })),
    },
  };
  return {
    body,
    kind,
    at: `${definitions}/${plural}.${group}`,
    path: (version: string) => `/apis/${group}/${version}/namespaces/default/${plural}`,
    object: (version: string, name: string, more: object = {}) => ({
      apiVersion: `${group}/${version}`,
      kind,
      metadata: { name },
      ...more,
    }),
  };
}

/** Waits until every version that is served is. */
async function define(defined: ReturnType<typeof definition>): Promise<void> {
  const { code, object } = await send(api, `POST ${definitions}`, { body: defined.body });
  assert.equal(code, 201, JSON.stringify(object));
  await until(
    'it is established',
    async () => {
      const { object: held } = await send(api, `GET ${defined.at}`);
      const conditions: { type: string; status: string }[] = held.status?.conditions ?? [];
      return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
    },
    waitMs,
  );
  for (const { name, served } of defined.body.spec.versions)
    if (served)
      await until(
        `${name} is served`,
        async () => (await send(api, `GET ${defined.path(name)}`)).code === 200,
        waitMs,
      );
}

interface Hook {
  type: 'mutating' | 'validating';
  name: string;
  rule: object;
}

async function register({ type, name, rule }: Hook, made: (review: Review) => object): Promise<void> {
  answers.set(`/${name}`, made);
  const webhook = {
    name: `${name}.example.com`,
    clientConfig: {
      url: `${hooksAt}/${name}`,
      caBundle: Buffer.from(running.authority.caPem).toString('base64'),
    },
    rules: [{ operations: ['*'], ...rule }],
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: 30,
  };
  const body = { metadata: { name }, webhooks: [webhook] };
  const { code, object } = await send(api, `POST ${registration}/${type}webhookconfigurations`, { body });
  assert.equal(code, 201, JSON.stringify(object));
}

const ruleFor = (plural: string) => ({
  apiGroups: ['conformance.example.com'],
  apiVersions: ['*'],
  resources: [plural],
});

test('a webhook denies that a custom resource is made, changed and deleted', async () => {
  const defined = definition('deniables', [{ name: 'v1', storage: true }]);
  await define(defined);
  const offends = (object: Answer | null | undefined) =>
    object?.data?.['webhook-e2e-test'] === 'webhook-disallow';
  await register({ type: 'validating', name: 'deny-custom', rule: ruleFor('deniables') }, ({ request }) => {
    const isDenied =
      offends(request.object) || (request.operation === 'DELETE' && offends(request.oldObject));
    return isDenied
      ? { allowed: false, status: { message: 'the custom resource contains unwanted data' } }
      : { allowed: true };
  });
  const path = defined.path('v1');
  const unwanted = { data: { 'webhook-e2e-test': 'webhook-disallow' } };
  const refusal =
    'admission webhook "deny-custom.example.com" denied the request: the custom resource contains unwanted data';
  const refused = async (request: ReturnType<typeof send>) => {
    const { code, object } = await request;
    assert.deepEqual([code, object.message], [400, refusal]);
  };
  await refused(send(api, `POST ${path}`, { body: defined.object('v1', 'bad', unwanted) }));
  assert.equal((await send(api, `POST ${path}`, { body: defined.object('v1', 'fine') })).code, 201);
  await refused(mergePatch(api, `${path}/fine`, unwanted));
  assert.equal((await send(api, `GET ${path}/fine`)).object.data, undefined);
  // Let in by nobody's fault, it can't be deleted before it is mended.
  answers.set('/deny-custom', ({ request }) =>
    request.operation === 'DELETE' && offends(request.oldObject)
      ? { allowed: false, status: { message: 'the custom resource contains unwanted data' } }
      : { allowed: true },
  );
  assert.equal((await mergePatch(api, `${path}/fine`, unwanted)).code, 200);
  await refused(send(api, `DELETE ${path}/fine`));
  assert.equal((await mergePatch(api, `${path}/fine`, { data: null })).code, 200);
  assert.equal((await send(api, `DELETE ${path}/fine`)).code, 200);
});

test('a webhook denies that a custom resource definition is made', async () => {
  const rule = {
    apiGroups: ['apiextensions.k8s.io'],
    apiVersions: ['*'],
    resources: ['customresourcedefinitions'],
  };
  await register({ type: 'validating', name: 'deny-definition', rule }, ({ request }) =>
    request.object?.metadata?.labels?.plural === 'unwanteds'
      ? { allowed: false, status: { message: 'the crd contains unwanted label' } }
      : { allowed: true },
  );
  const defined = definition('unwanteds', [{ name: 'v1', storage: true }]);
  const { code, object } = await send(api, `POST ${definitions}`, { body: defined.body });
  assert.equal(code, 400);
  assert.match(object.message, /denied the request: the crd contains unwanted label$/);
  assert.equal((await send(api, `GET ${defined.at}`)).code, 404);
});

const stages = (shown: Answer) => (shown.data ?? {}) as Record<string, string>;
/** Two webhooks, one after the other, each of which goes on from what it is shown. */
async function registerStages(plural: string): Promise<void> {
  for (const [name, needed, added] of [
    [`${plural}-stage-1`, 'mutation-start', 'mutation-stage-1'],
    [`${plural}-stage-2`, 'mutation-stage-1', 'mutation-stage-2'],
  ] as const)
    await register({ type: 'mutating', name, rule: ruleFor(plural) }, ({ request }) =>
      request.operation !== 'DELETE' && stages(request.object)[needed] === 'yes'
        ? patch({ op: 'add', path: `/data/${added}`, value: 'yes' })
        : { allowed: true },
    );
}

test('webhooks change custom resources, one after the other', async () => {
  const defined = definition('changeables', [{ name: 'v1', storage: true }]);
  await define(defined);
  await registerStages('changeables');
  const body = defined.object('v1', 'one', { data: { 'mutation-start': 'yes' } });
  assert.equal((await send(api, `POST ${defined.path('v1')}`, { body })).code, 201);
  const { object } = await send(api, `GET ${defined.path('v1')}/one`);
  assert.deepEqual(object.data, {
    'mutation-start': 'yes',
    'mutation-stage-1': 'yes',
    'mutation-stage-2': 'yes',
  });
});

test('what webhooks add to a custom resource is pruned by its schema', async () => {
  const data = { type: 'object', properties: { 'mutation-start': text, 'mutation-stage-1': text } };
  const schema = { type: 'object', properties: { data } };
  const defined = definition('prunables', [{ name: 'v1', storage: true, schema }]);
  await define(defined);
  await registerStages('prunables');
  const body = defined.object('v1', 'one', { data: { 'mutation-start': 'yes' } });
  assert.equal((await send(api, `POST ${defined.path('v1')}`, { body })).code, 201);
  const { object } = await send(api, `GET ${defined.path('v1')}/one`);
  assert.deepEqual(object.data, { 'mutation-start': 'yes', 'mutation-stage-1': 'yes' });
});

test('webhooks change a custom resource also when its stored version has changed', async () => {
  const defined = definition('movables', [{ name: 'v1', storage: true }, { name: 'v2' }]);
  await define(defined);
  await registerStages('movables');
  const body = defined.object('v1', 'one', { data: { 'mutation-start': 'yes' } });
  assert.equal((await send(api, `POST ${defined.path('v1')}`, { body })).code, 201);
  const held = structuredClone((await send(api, `GET ${defined.at}`)).object);
  for (const version of held.spec.versions) version.storage = version.name === 'v2';
  const moved = await send(api, `PUT ${defined.at}`, { body: held });
  assert.deepEqual(moved.object.status.storedVersions, ['v1', 'v2']);
  const patched = await mergePatch(api, `${defined.path('v1')}/one`, {
    data: { 'mutation-start': 'yes', a: 'b' },
  });
  assert.equal(patched.code, 200, JSON.stringify(patched.object));
  for (const version of ['v1', 'v2']) {
    const { object } = await send(api, `GET ${defined.path(version)}/one`);
    assert.equal(object.apiVersion, `conformance.example.com/${version}`);
    assert.deepEqual(
      [stages(object).a, stages(object)['mutation-stage-1'], stages(object)['mutation-stage-2']],
      ['b', 'yes', 'yes'],
    );
  }
});

test('what a webhook adds to a pod gets its defaults', async () => {
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] };
  await register({ type: 'mutating', name: 'add-init-container', rule }, ({ request }) =>
    request.object?.metadata?.name === 'webhook-to-be-mutated'
      ? patch({
          op: 'add',
          path: '/spec/initContainers',
          value: [{ name: 'webhook-added-init-container', image: 'init:1', resources: {} }],
        })
      : { allowed: true },
  );
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'webhook-to-be-mutated' },
    spec: { containers: [{ name: 'example', image: 'app:1' }] },
  };
  const { code, object } = await send(api, 'POST /api/v1/namespaces/default/pods', { body });
  assert.equal(code, 201, JSON.stringify(object));
  const [added] = object.spec.initContainers;
  assert.equal(added.name, 'webhook-added-init-container');
  assert.equal(added.terminationMessagePolicy, 'File');
});

test('custom resource definitions are listed, and deleted together', async () => {
  const made = ['listables', 'countables'].map((plural) =>
    definition(plural, [{ name: 'v1', storage: true }]),
  );
  for (const defined of made) {
    const body = { ...defined.body, metadata: { ...defined.body.metadata, labels: { listed: 'yes' } } };
    assert.equal((await send(api, `POST ${definitions}`, { body })).code, 201);
  }
  const listed = await send(api, `GET ${definitions}?labelSelector=listed%3Dyes`);
  assert.equal(listed.object.kind, 'CustomResourceDefinitionList');
  assert.deepEqual(listed.object.items!.map(({ metadata }) => metadata!.name).sort(), [
    'countables.conformance.example.com',
    'listables.conformance.example.com',
  ]);
  assert.equal((await send(api, `DELETE ${definitions}?labelSelector=listed%3Dyes`)).code, 200);
  for (const { at } of made)
    await until('it is gone', async () => (await send(api, `GET ${at}`)).code === 404, waitMs);
});

test('the status of a custom resource definition is read, replaced and patched by itself', async () => {
  const defined = definition('statables', [{ name: 'v1', storage: true }]);
  await define(defined);
  const { object: held } = await send(api, `GET ${defined.at}/status`);
  assert.equal(held.kind, 'CustomResourceDefinition');
  const updated = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from an e2e test' };
  const put = await send(api, `PUT ${defined.at}/status`, {
    body: {
      ...held,
      spec: { ...held.spec, group: 'other.example.com' },
      status: { ...held.status, conditions: [...held.status.conditions, updated] },
    },
  });
  assert.equal(put.code, 200, JSON.stringify(put.object));
  const types = (object: Answer) => object.status.conditions.map(({ type }: { type: string }) => type);
  assert.ok(types(put.object).includes('StatusUpdate'));
  assert.equal(put.object.spec.group, 'conformance.example.com');
  const patched = await mergePatch(api, `${defined.at}/status`, {
    status: { conditions: [...put.object.status.conditions, { ...updated, type: 'StatusPatch' }] },
  });
  assert.equal(patched.code, 200, JSON.stringify(patched.object));
  assert.ok(types(patched.object).includes('StatusPatch'));
  assert.ok(types((await send(api, `GET ${defined.at}`)).object).includes('StatusPatch'));
});

test('a watch of custom resources sees each come, change and go, in order', async () => {
  const defined = definition('watchables', [{ name: 'v1', storage: true }]);
  await define(defined);
  const path = defined.path('v1');
  const { object: list } = await send(api, `GET ${path}`);
  const stop = new AbortController();
  const watches = [];
  for (const name of ['a', 'b'])
    watches.push(
      await openWatch(
        api,
        `GET ${path}?watch=1&resourceVersion=${list.metadata!.resourceVersion}&fieldSelector=metadata.name%3D${name}`,
        { signal: stop.signal },
      ),
    );
  for (const name of ['a', 'b']) {
    await send(api, `POST ${path}`, { body: defined.object('v1', name) });
    await mergePatch(api, `${path}/${name}`, { data: { changed: 'yes' } });
    assert.equal((await send(api, `DELETE ${path}/${name}`)).code, 200);
  }
  for (const [index, name] of ['a', 'b'].entries())
    assert.deepEqual(await take(watches[index]!, 3), [
      `ADDED ${name}`,
      `MODIFIED ${name}`,
      `DELETED ${name}`,
    ]);
  stop.abort();
  for (const events of watches) await events.next();
});

const openApi = async () => (await exchange(endpoint(), { ask: 'GET /openapi/v2' })).body as Answer;
/** The published definition of a kind, by what is in it, waited for. */
const published = (what: string, name: string, isIt: (schema: Answer | undefined) => boolean) =>
  until(
    what,
    async () => {
      const schema = (await openApi()).definitions[name] as Answer | undefined;
      return isIt(schema) && { schema };
    },
    waitMs,
  );
const component = (version: string, kind: string, group = 'com.example.conformance') =>
  `${group}.${version}.${kind}`;

test('OpenAPI follows a version that is renamed, and leaves the others as they are', async () => {
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: { a: text } } } };
  const defined = definition('renamables', [
    { name: 'v2', storage: true, schema },
    { name: 'v3', schema },
  ]);
  await define(defined);
  const there = (found: Answer | undefined) => found !== undefined;
  const { schema: other } = await published('v2 is there', component('v2', 'Renamable'), there);
  await published('v3 is there', component('v3', 'Renamable'), there);
  const held = structuredClone((await send(api, `GET ${defined.at}`)).object);
  held.spec.versions[1].name = 'v4';
  assert.equal((await send(api, `PUT ${defined.at}`, { body: held })).code, 200);
  await published('v4 is there', component('v4', 'Renamable'), there);
  await published('v3 is not', component('v3', 'Renamable'), (found) => found === undefined);
  assert.deepEqual((await openApi()).definitions[component('v2', 'Renamable')], other);
});

test('OpenAPI of a kind that keeps unknown fields at its root allows any', async () => {
  const defined = definition('openroots', [{ name: 'v1', storage: true }]);
  await define(defined);
  const { schema } = await published(
    'it is there',
    component('v1', 'Openroot'),
    (found) => found?.['x-kubernetes-group-version-kind'] !== undefined,
  );
  // A client that knows no properties refuses none.
  assert.deepEqual([schema!.type, schema!.properties], ['object', undefined]);
  const body = defined.object('v1', 'any', { anything: { a: [1] } });
  const made = await send(api, `POST ${defined.path('v1')}?fieldValidation=Strict`, { body });
  assert.deepEqual([made.code, made.object.anything], [201, { a: [1] }]);
});

for (const [plural, where, spec] of [
  [
    'openspecs',
    'an object',
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { dummy: text } },
  ],
  [
    'openembeds',
    'an embedded object',
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, 'x-kubernetes-embedded-resource': true },
  ],
] as const) {
  const kind = plural[0]!.toUpperCase() + plural.slice(1, -1);

  test(`OpenAPI of a kind that keeps unknown fields in ${where} says so there, and other unknown fields are refused`, async () => {
    const schema = { type: 'object', properties: { spec } };
    const defined = definition(plural, [{ name: 'v1', storage: true, schema }]);
    await define(defined);
    const found = await published(
      'it is there',
      component('v1', kind),
      (one) => one?.properties?.spec !== undefined,
    );
    assert.equal(found.schema!['x-kubernetes-preserve-unknown-fields'], undefined);
    assert.equal(found.schema!.properties.spec['x-kubernetes-preserve-unknown-fields'], true);
    const inside = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'inside' }, any: 1 };
    const path = `${defined.path('v1')}?fieldValidation=Strict`;
    const made = await send(api, `POST ${path}`, { body: defined.object('v1', 'one', { spec: inside }) });
    assert.deepEqual([made.code, made.object.spec?.any], [201, 1], JSON.stringify(made.object));
    const odd = await send(api, `POST ${path}`, {
      body: defined.object('v1', 'two', { spec: inside, odd: 1 }),
    });
    assert.equal(odd.code, 400);
    assert.match(odd.object.message, /unknown field "odd"/);
  });
}

test('OpenAPI tells kinds apart that differ in their group', async () => {
  for (const group of ['one', 'two'])
    await define(definition('groupeds', [{ name: 'v1', storage: true }], `${group}.conformance.example.com`));
  for (const group of ['one', 'two'])
    await published(
      `${group} is there`,
      component('v1', 'Grouped', `com.example.conformance.${group}`),
      (schema) =>
        schema?.['x-kubernetes-group-version-kind']?.[0]?.group === `${group}.conformance.example.com`,
    );
});

test('OpenAPI tells the versions of a kind apart', async () => {
  const fields = (name: string) => ({ type: 'object', properties: { [name]: text } });
  await define(
    definition('versioneds', [
      { name: 'v1', storage: true, schema: fields('first') },
      { name: 'v2', schema: fields('second') },
    ]),
  );
  for (const [version, field] of [
    ['v1', 'first'],
    ['v2', 'second'],
  ] as const)
    await published(
      `${version} is there`,
      component(version, 'Versioned'),
      (schema) => schema?.properties?.[field] !== undefined,
    );
});

test('OpenAPI tells kinds of one group and version apart', async () => {
  for (const plural of ['apples', 'pears']) await define(definition(plural, [{ name: 'v1', storage: true }]));
  for (const kind of ['Apple', 'Pear'])
    await published(
      `${kind} is there`,
      component('v1', kind),
      (schema) => schema?.['x-kubernetes-group-version-kind']?.[0]?.kind === kind,
    );
});

test('aggregated discovery is given to who accepts it, with custom kinds in it, and the lists to others', async () => {
  await define(definition('discoverables', [{ name: 'v1', storage: true }]));
  for (const version of ['v2', 'v2beta1'])
    for (const root of ['/api', '/apis']) {
      const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      const { object, headers } = await send(api, `GET ${root}`, { headers: { accept } });
      assert.equal(headers['content-type'], accept);
      assert.deepEqual(
        [object.kind, object.apiVersion],
        ['APIGroupDiscoveryList', `apidiscovery.k8s.io/${version}`],
      );
      const resources = object.items!.flatMap((item) =>
        (item as Answer).versions.flatMap((one: Answer) => one.resources),
      ) as { resource: string; scope: string; verbs: string[]; responseKind: { kind: string } }[];
      const names = resources.map(({ resource }) => resource);
      const wanted = root === '/api' ? ['namespaces', 'pods', 'services'] : ['deployments', 'discoverables'];
      for (const name of wanted) assert.ok(names.includes(name), `${name} in ${root}`);
      for (const { resource, scope, verbs, responseKind } of resources)
        assert.ok(scope && verbs.length > 0 && responseKind.kind, resource);
    }
  const list = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const firstWins = await send(api, 'GET /apis', { headers: { accept: `application/json,${list}` } });
  assert.equal(firstWins.object.kind, 'APIGroupList');
  const both = await send(api, 'GET /apis', { headers: { accept: `${list},application/json` } });
  assert.equal(both.object.kind, 'APIGroupDiscoveryList');
  assert.equal((await send(api, 'GET /apis')).object.kind, 'APIGroupList');
});

test('strict validation of a custom resource refuses fields that occur twice, and unknown ones in its metadata', async () => {
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: { a: text } } } };
  const defined = definition('strictables', [{ name: 'v1', storage: true, schema }]);
  await define(defined);
  const path = defined.path('v1');
  const twice = JSON.stringify(defined.object('v1', 'x', { spec: { a: '1' } })).replace('"1"', '"1","a":"2"');
  const odd = JSON.stringify(defined.object('v1', 'x', { metadata: { name: 'x', unknownMeta: 'y' } }));
  for (const [body, wrong] of [
    [twice, 'duplicate field "spec.a"'],
    [odd, 'unknown field "metadata.unknownMeta"'],
  ] as const) {
    const refused = await exchange(endpoint(), { ask: `POST ${path}?fieldValidation=Strict`, body });
    assert.equal(refused.code, 400, JSON.stringify(refused.body));
    assert.ok((refused.body as Answer).message.includes(`strict decoding error: ${wrong}`), wrong);
    const warned = await exchange(endpoint(), { ask: `POST ${path}?fieldValidation=Warn&dryRun=All`, body });
    assert.equal(warned.code, 201, JSON.stringify(warned.body));
    assert.ok(
      (warned.headers.warning ?? '').includes(wrong.replaceAll('"', '\\"')),
      warned.headers.warning ?? '',
    );
  }
});
