import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Transport } from '../../../client/transport.ts';
import { type Answer, configMap, mergePatch, send } from '../../test-request.ts';
import { startTestServer, type TestServer } from '../../test-server.ts';
import { answerBytesMax } from './call.ts';

let running: TestServer;
let api: Transport;
let server: Server;
let base: string;
const maps = '/api/v1/namespaces/default/configmaps';
const registration = '/apis/admissionregistration.k8s.io/v1';

type Review = { request: Answer };
/** What the webhook answers, by path. */
const answers = new Map<string, (review: Review, response: ServerResponse) => object | undefined>();
const asked: Review[] = [];

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
  const issued = running.authority.issue({
    commonName: 'webhook',
    dnsNames: ['localhost', 'hook.default.svc'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  server = createServer({ cert: issued.chainPem, key: issued.privateKeyPem }, (request, response) => {
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await running.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += chunk;
  const review = JSON.parse(text) as Review;
  asked.push(review);
  const made = answers.get(new URL(request.url!, base).pathname)!(review, response);
  if (!made) return;
  const uid = review.request.uid as string;
  const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...made } };
  response.end(JSON.stringify(body));
}

const patch = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

/** A webhook for ConfigMaps labelled `hook: <name>`, so that the tests leave each other alone. */
function hook(name: string, more: object = {}) {
  return {
    name: `${name}.example.com`,
    clientConfig: {
      url: `${base}/${name}`,
      caBundle: Buffer.from(running.authority.caPem).toString('base64'),
    },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
    objectSelector: { matchLabels: { hook: name } },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: 5,
    ...more,
  };
}

async function register(kind: 'validating' | 'mutating', name: string, ...webhooks: object[]): Promise<void> {
  const made = await send(api, `POST ${registration}/${kind}webhookconfigurations`, {
    body: { metadata: { name }, webhooks },
  });
  assert.equal(made.code, 201, made.object.message);
}

const labelled = (name: string, hookName = name) => ({
  ...configMap(name),
  metadata: { name, labels: { hook: hookName } },
});

test('a refusal reaches the client with the webhook’s code, reason and message, and so do its warnings', async () => {
  answers.set('/refuses', ({ request }) =>
    request.operation === 'DELETE'
      ? { allowed: true, warnings: ['gone for good'] }
      : { allowed: false, status: { code: 403, reason: 'Forbidden', message: 'not today' } },
  );
  await register('validating', 'refuses', hook('refuses'));
  const { code, object } = await send(api, `POST ${maps}`, { body: labelled('refuses') });
  assert.deepEqual(
    [code, object.reason, object.message],
    [403, 'Forbidden', 'admission webhook "refuses.example.com" denied the request: not today'],
  );
  answers.set('/refuses', () => ({ allowed: false }));
  const silent = await send(api, `POST ${maps}`, { body: labelled('refuses') });
  assert.deepEqual(
    [silent.code, silent.object.message],
    [400, 'admission webhook "refuses.example.com" denied the request without explanation'],
  );
});

test('the question says who asks for what, with the object before and after', async () => {
  answers.set('/sees', () => ({ allowed: true, warnings: ['seen'] }));
  await register('validating', 'sees', hook('sees'));
  await send(api, `POST ${maps}`, { body: labelled('sees') });
  asked.length = 0;
  const { headers } = await mergePatch(api, `${maps}/sees?fieldManager=me&dryRun=All`, { data: { a: '1' } });
  assert.equal(headers.warning, '299 - "seen"');
  const { uid, object, oldObject, ...rest } = asked[0]!.request;
  assert.match(String(uid), /^[0-9a-f-]{36}$/);
  assert.deepEqual([object.data, oldObject.data], [{ a: '1' }, undefined]);
  assert.deepEqual(rest, {
    kind: { group: '', version: 'v1', kind: 'ConfigMap' },
    resource: { group: '', version: 'v1', resource: 'configmaps' },
    requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
    requestResource: { group: '', version: 'v1', resource: 'configmaps' },
    name: 'sees',
    namespace: 'default',
    operation: 'UPDATE',
    userInfo: { username: 'system:selvage', groups: ['system:masters'] },
    dryRun: true,
    options: { kind: 'PatchOptions', apiVersion: 'meta.k8s.io/v1', dryRun: ['All'], fieldManager: 'me' },
  });
});

test('patches are applied in the order of names, and who wishes is asked again after others', async () => {
  const order: string[] = [];
  answers.set('/first', () => {
    order.push('first');
    return patch({ op: 'add', path: '/metadata/labels/first', value: String(order.length) });
  });
  answers.set('/second', () => {
    order.push('second');
    return patch({ op: 'add', path: '/data', value: { by: 'second' } });
  });
  const both = { objectSelector: { matchLabels: { hook: 'both' } } };
  await register('mutating', 'b', hook('second', both));
  await register('mutating', 'a', hook('first', { ...both, reinvocationPolicy: 'IfNeeded' }));
  const { object } = await send(api, `POST ${maps}`, { body: labelled('patched', 'both') });
  assert.deepEqual(order, ['first', 'second', 'first']);
  assert.deepEqual([object.data, object.metadata!.labels], [{ by: 'second' }, { hook: 'both', first: '3' }]);
});

test('a webhook that does not answer in its time fails the write, or is passed over where it may be', async () => {
  answers.set('/hangs', () => undefined);
  await register('validating', 'hangs', hook('hangs', { timeoutSeconds: 1 }));
  const { code, object } = await send(api, `POST ${maps}`, { body: labelled('hangs') });
  assert.equal(code, 500);
  assert.match(
    object.message!,
    /^Internal error occurred: failed calling webhook "hangs\.example\.com": failed to call webhook: Post "https:.*\/hangs\?timeout=1s": context deadline exceeded$/,
  );
  const path = '/hangs-on';
  answers.set(path, () => undefined);
  await register('validating', 'hangs-on', hook('hangs-on', { timeoutSeconds: 1, failurePolicy: 'Ignore' }));
  assert.equal((await send(api, `POST ${maps}`, { body: labelled('hangs-on') })).code, 201);
});

test('a webhook that lies or is not there fails the write, or is passed over where it may be', async () => {
  const failures: [name: string, says: RegExp][] = [
    ['lies', /^received invalid webhook response: expected response\.uid="[^"]+", got "other"$/],
    ['babbles', /^failed to call webhook: .* received invalid webhook response: it is no JSON$/],
    ['floods', /^failed to call webhook: .*: the answer is larger than 8388608 bytes$/],
    ['fails', /^failed to call webhook: .*: the server answered 500: oops$/],
  ];
  answers.set('/lies', () => ({ uid: 'other', allowed: true }));
  answers.set('/babbles', (_review, response) => void response.end('{'));
  answers.set('/floods', (_review, response) => void response.end(Buffer.alloc(answerBytesMax + 1, ' ')));
  answers.set('/fails', (_review, response) => {
    response.statusCode = 500;
    response.end('oops');
    return undefined;
  });
  for (const [name, says] of failures) {
    await register('validating', name, hook(name, { timeoutSeconds: 10 }));
    const { code, object } = await send(api, `POST ${maps}`, { body: labelled(name) });
    assert.equal(code, 500);
    const head = `Internal error occurred: failed calling webhook "${name}.example.com": `;
    assert.equal(object.message!.slice(0, head.length), head);
    assert.match(object.message!.slice(head.length), says);
  }
  const gone = { url: 'https://127.0.0.1:1/gone' };
  await register('validating', 'gone', hook('gone', { clientConfig: gone, failurePolicy: 'Ignore' }));
  assert.equal((await send(api, `POST ${maps}`, { body: labelled('gone') })).code, 201);
});

test('a webhook behind a Service is found through its endpoints, and known by the Service’s name', async () => {
  answers.set('/in-cluster', () => ({ allowed: false, status: { message: 'from the cluster' } }));
  const port = (server.address() as AddressInfo).port;
  await send(api, 'POST /api/v1/namespaces/default/services', {
    body: { metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } },
  });
  await send(api, 'POST /apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    body: {
      metadata: { name: 'hook', labels: { 'kubernetes.io/service-name': 'hook' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'] }],
      ports: [{ port }],
    },
  });
  const { caBundle } = hook('in-cluster').clientConfig;
  const clientConfig = { caBundle, service: { namespace: 'default', name: 'hook', path: '/in-cluster' } };
  await register('validating', 'in-cluster', hook('in-cluster', { clientConfig }));
  const { object } = await send(api, `POST ${maps}`, { body: labelled('in-cluster') });
  assert.equal(
    object.message,
    'admission webhook "in-cluster.example.com" denied the request: from the cluster',
  );
});

test('rules choose by operation, resource, subresource and scope, and namespaces by their labels', async () => {
  answers.set('/narrow', () => ({ allowed: false }));
  const everything = { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['*/*'] };
  const inside = { namespaceSelector: { matchLabels: { narrow: 'yes' } }, objectSelector: {} };
  await register(
    'validating',
    'narrow',
    hook('narrow', { ...inside, rules: [{ ...everything, scope: 'Namespaced' }] }),
  );
  await send(api, 'POST /api/v1/namespaces', {
    body: { metadata: { name: 'narrow', labels: { narrow: 'yes' } } },
  });
  const outcomes = [];
  for (const path of [maps, '/api/v1/namespaces/narrow/configmaps', '/api/v1/namespaces/narrow/secrets']) {
    outcomes.push((await send(api, `POST ${path}`, { body: { metadata: { name: 'one' } } })).code);
  }
  assert.deepEqual(outcomes, [201, 400, 400]);
});

test('webhook configurations are out of reach of webhooks, and their mistakes are named', async () => {
  answers.set('/all', () => ({ allowed: false }));
  const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }];
  await register(
    'validating',
    'all',
    hook('all', { rules, objectSelector: { matchLabels: { all: 'yes' } } }),
  );
  const removed = await send(api, `DELETE ${registration}/validatingwebhookconfigurations/all`);
  assert.equal(removed.code, 200);
  const { object } = await send(api, `POST ${registration}/validatingwebhookconfigurations`, {
    body: {
      metadata: { name: 'wrong' },
      webhooks: [hook('wrong', { name: 'short', clientConfig: { url: 'http://a/b' }, timeoutSeconds: 31 })],
    },
  });
  assert.equal(
    object.message,
    'ValidatingWebhookConfiguration.admissionregistration.k8s.io "wrong" is invalid: [' +
      'webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path], ' +
      'webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by dots, ' +
      'webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds]',
  );
});

test('conditions choose by what is in the request, and one that fails fails the write', async () => {
  answers.set('/conditional', () => ({ allowed: false }));
  const conditions = (expression: string) => ({ matchConditions: [{ name: 'only', expression }] });
  const expression =
    "object.data.a == 'no' && request.operation == 'CREATE' && authorizer.requestResource.check('create').allowed()";
  await register('validating', 'conditional', hook('conditional', conditions(expression)));
  const outcome = async (data: object | undefined) =>
    (
      await send(api, `POST ${maps}?dryRun=All`, {
        body: { ...labelled('conditional'), ...(data && { data }) },
      })
    ).object;
  assert.equal((await outcome({ a: 'yes' })).kind, 'ConfigMap');
  assert.match(String((await outcome({ a: 'no' })).message), /denied the request without explanation$/);
  assert.equal(
    (await outcome(undefined)).message,
    `configmaps "conditional" is forbidden: expression '${expression}' resulted in error: no such key: data`,
  );
  const wrong = await send(api, `POST ${registration}/validatingwebhookconfigurations`, {
    body: { metadata: { name: 'wrong' }, webhooks: [hook('wrong', conditions('object.'))] },
  });
  assert.match(
    wrong.object.message!,
    /webhooks\[0\]\.matchConditions\[0\]\.expression: Invalid value: "object\.": compilation failed: /,
  );
  const unknown = await send(api, `POST ${registration}/validatingwebhookconfigurations`, {
    body: { metadata: { name: 'wrong' }, webhooks: [hook('wrong', conditions('request.verb == "GET"'))] },
  });
  assert.match(unknown.object.message!, /compilation failed: ERROR: <input>:1:8: undefined field 'verb'/);
  const known = 'request.operation == "CREATE" && namespaceObject.metadata.name == "default"';
  const right = await send(api, `POST ${registration}/validatingwebhookconfigurations?dryRun=All`, {
    body: { metadata: { name: 'right' }, webhooks: [hook('right', conditions(known))] },
  });
  assert.equal(right.code, 201, right.object.message);
});

test('who asks for one version is shown writes in the others too, unless it wants exactly that one', async () => {
  const rules = [
    {
      apiGroups: ['autoscaling'],
      apiVersions: ['v2'],
      operations: ['CREATE'],
      resources: ['horizontalpodautoscalers'],
    },
  ];
  answers.set('/equivalent', () =>
    patch({ op: 'replace', path: '/spec/metrics/0/resource/target/averageUtilization', value: 33 }),
  );
  answers.set('/exact', () => ({ allowed: false }));
  await register('mutating', 'equivalent', hook('equivalent', { rules }));
  await register('validating', 'exact', hook('exact', { rules, matchPolicy: 'Exact' }));
  const spec = { scaleTargetRef: { kind: 'Deployment', name: 'web' }, maxReplicas: 3 };
  const make = (version: string, name: string, hookName: string) =>
    send(api, `POST /apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`, {
      body: { metadata: { name, labels: { hook: hookName } }, spec },
    });
  asked.length = 0;
  const made = await make('v1', 'one', 'equivalent');
  assert.deepEqual(
    [made.code, made.object.apiVersion, made.object.spec.targetCPUUtilizationPercentage],
    [201, 'autoscaling/v1', 33],
  );
  const { kind, resource, requestKind, requestResource, object } = asked[0]!.request;
  const of = (version: string) => ({ group: 'autoscaling', version });
  assert.deepEqual(kind, { ...of('v2'), kind: 'HorizontalPodAutoscaler' });
  assert.deepEqual(resource, { ...of('v2'), resource: 'horizontalpodautoscalers' });
  assert.deepEqual(requestKind, { ...of('v1'), kind: 'HorizontalPodAutoscaler' });
  assert.deepEqual(requestResource, { ...of('v1'), resource: 'horizontalpodautoscalers' });
  assert.equal(object.apiVersion, 'autoscaling/v2');
  assert.equal((await make('v2', 'two', 'exact')).code, 400);
  assert.equal((await make('v1', 'three', 'exact')).code, 201);
});
