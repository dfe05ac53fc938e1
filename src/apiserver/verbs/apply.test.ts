import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { type Answer, configMap, deployment, mergePatch, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

let running: TestServer;
let api: Transport;
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const pods = '/api/v1/namespaces/default/pods';
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
});
after(() => running.close());

const applyType = { 'content-type': 'application/apply-patch+yaml' };
const apply = (path: string, body: object, query = 'fieldManager=test') =>
  send(api, `PATCH ${path}?${query}`, { body, headers: applyType });

interface Entry {
  manager: string;
  operation: string;
  subresource?: string;
  fieldsV1: object;
}
const managersOf = (object: Answer) =>
  ((object.metadata?.managedFields ?? []) as Entry[]).map(({ manager, operation, subresource = '' }) =>
    `${manager} ${operation} ${subresource}`.trim(),
  );
const fieldsOf = (object: Answer, name: string) =>
  ((object.metadata?.managedFields ?? []) as Entry[]).find(({ manager }) => manager === name)?.fieldsV1;

test('apply makes what is not there, then changes it, and owns only what it names', async () => {
  const made = await apply(`${deployments}/made`, deployment('made', { replicas: 2 }));
  assert.equal(made.code, 201);
  assert.equal(made.object.spec.strategy.type, 'RollingUpdate');
  assert.deepEqual(managersOf(made.object), ['test Apply']);
  assert.equal(JSON.stringify(fieldsOf(made.object, 'test')).includes('f:strategy'), false);
  const changed = await apply(`${deployments}/made`, deployment('made', { replicas: 3 }));
  assert.equal(changed.code, 200);
  assert.equal(changed.object.spec.replicas, 3);
  assert.equal(changed.object.metadata!.generation, 2);
  const same = await apply(`${deployments}/made`, deployment('made', { replicas: 3 }));
  assert.equal(same.object.metadata!.resourceVersion, changed.object.metadata!.resourceVersion);
});

test('a field that is dropped falls back to its default', async () => {
  await apply(`${deployments}/dropped`, deployment('dropped', { replicas: 3, revisionHistoryLimit: 2 }));
  const { object } = await apply(`${deployments}/dropped`, deployment('dropped'));
  assert.equal(object.spec.replicas, 1);
  assert.equal(object.spec.revisionHistoryLimit, 10);
});

test('a conflict is a 409 with a cause a field, and force takes the field over', async () => {
  await apply(`${deployments}/scaled`, deployment('scaled', { replicas: 1 }));
  await send(api, `PATCH ${deployments}/scaled/scale`, {
    body: { spec: { replicas: 5 } },
    headers: {
      'content-type': 'application/merge-patch+json',
      'user-agent': 'kubectl/v1.32.0 (linux/amd64)',
    },
  });
  const refused = await apply(`${deployments}/scaled`, deployment('scaled', { replicas: 1 }));
  assert.equal(refused.code, 409);
  assert.equal(refused.object.reason, 'Conflict');
  assert.equal(
    refused.object.message,
    'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
  );
  assert.deepEqual(refused.object.details.causes, [
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "kubectl" with subresource "scale" using apps/v1',
      field: '.spec.replicas',
    },
  ]);
  const forced = await apply(
    `${deployments}/scaled`,
    deployment('scaled', { replicas: 1 }),
    'fieldManager=test&force=true',
  );
  assert.equal(forced.object.spec.replicas, 1);
  assert.deepEqual(managersOf(forced.object), ['test Apply']);
});

test('the scale is applied through its subresource', async () => {
  const path = `${deployments}/by-scale`;
  await apply(path, deployment('by-scale'));
  const scale = (replicas: unknown) => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'by-scale' },
    spec: { replicas },
  });
  const answer = await apply(`${path}/scale`, scale(4), 'fieldManager=scaler');
  assert.equal(answer.object.spec.replicas, 4, JSON.stringify(answer.object));
  const { object } = await send(api, `GET ${path}`);
  assert.deepEqual(managersOf(object), ['scaler Apply scale', 'test Apply']);
  assert.deepEqual(fieldsOf(object, 'scaler'), { 'f:spec': { 'f:replicas': {} } });
  const refused = await apply(`${path}/scale`, scale(5), 'fieldManager=other');
  assert.match(refused.object.message, /conflict with "scaler" with subresource "scale": \.spec\.replicas$/);
  for (const wrong of [scale(-1), scale('x')]) {
    assert.equal((await apply(`${path}/scale`, wrong, 'fieldManager=scaler')).code, 422);
  }
});

test('writes of the status are kept apart, and apply leaves the status to its subresource', async () => {
  const path = `${deployments}/status`;
  const made = await apply(path, { ...deployment('status'), status: { replicas: 9 } });
  assert.deepEqual(made.object.status, {});
  await send(api, `PATCH ${path}/status?fieldManager=replicas`, {
    body: { status: { replicas: 1 } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  const { object } = await apply(
    `${path}/status`,
    { ...deployment('status', { replicas: 7 }), status: { readyReplicas: 1 } },
    'fieldManager=ready',
  );
  assert.equal(object.spec.replicas, 1);
  assert.deepEqual(object.status, { replicas: 1, readyReplicas: 1 });
  assert.deepEqual(managersOf(object), ['ready Apply status', 'test Apply', 'replicas Update status']);
  assert.deepEqual(fieldsOf(object, 'ready'), { 'f:status': { 'f:readyReplicas': {} } });
  const missing = await apply(`${deployments}/none/status`, { ...deployment('none'), status: {} });
  assert.equal(missing.code, 404);
});

test("the control plane's own status writes are tracked only where somebody else owns a status", async () => {
  const path = `${deployments}/quiet`;
  const headers = { 'content-type': 'application/merge-patch+json' };
  const write = (status: object) => send(api, `PATCH ${path}/status`, { body: { status }, headers });
  await apply(path, deployment('quiet'));
  assert.deepEqual(managersOf((await write({ replicas: 1 })).object), ['test Apply']);
  const status = { ...deployment('quiet'), status: { readyReplicas: 1 } };
  await apply(`${path}/status`, status, 'fieldManager=ready');
  const { object } = await write({ readyReplicas: 2 });
  assert.deepEqual(managersOf(object), ['test Apply', 'selvage Update status']);
});

test('the writer is the field manager, else the beginning of the user agent', async () => {
  const headers = { 'user-agent': 'tool/1.0 (linux)' };
  const admin = running.server.transport({ name: 'admin', groups: ['system:masters'] });
  const made = await send(admin, `POST ${maps}`, { body: configMap('agent', { data: { a: '1' } }), headers });
  assert.deepEqual(managersOf(made.object), ['tool Update']);
  const named = await send(api, `PATCH ${maps}/agent?fieldManager=named`, {
    body: { data: { b: '1' } },
    headers: { 'content-type': 'application/merge-patch+json', ...headers },
  });
  assert.deepEqual(managersOf(named.object), ['named Update', 'tool Update']);
  assert.deepEqual(fieldsOf(named.object, 'named'), { 'f:data': { 'f:b': {} } });
});

test('of a long or odd user agent as much becomes the writer as fits into 128 bytes, whole characters that can be printed', async () => {
  const admin = running.server.transport({ name: 'admin', groups: ['system:masters'] });
  const managerOf = async (name: string, agent: string) => {
    const headers = { 'user-agent': agent };
    const body = configMap(name, { data: { a: '1' } });
    const { object } = await send(admin, `POST ${maps}`, { body, headers });
    return managersOf(object);
  };
  assert.deepEqual(await managerOf('agent-wide', `${'é'.repeat(64)}é/1`), [`${'é'.repeat(64)} Update`]);
  assert.deepEqual(await managerOf('agent-cut', `a${'é'.repeat(64)}/1`), [`a${'é'.repeat(63)} Update`]);
  assert.deepEqual(await managerOf('agent-odd', 'my\u00a0tool\u0007 x/1'), ['mytool x Update']);
});

test('allocated addresses and the first status belong to nobody', async () => {
  const body = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'owned' },
    spec: { ports: [{ port: 80 }] },
  };
  const { object } = await send(api, 'POST /api/v1/namespaces/default/services?fieldManager=made', { body });
  const text = JSON.stringify(object.metadata!.managedFields);
  assert.match(object.spec.clusterIP, /^10\.43\./);
  for (const field of ['f:clusterIP', 'f:status', 'f:uid']) assert.equal(text.includes(field), false, field);
  const applied = await apply('/api/v1/namespaces/default/services/owned', body);
  assert.equal(applied.object.spec.clusterIP, object.spec.clusterIP);
});

test('what the server fills in by itself belongs to nobody, and what is always there is owned through its parts', async () => {
  const fieldsOf = async (path: string, body: object) => {
    const { object } = await send(api, `POST ${path}?fieldManager=made`, { body });
    return (object.metadata!.managedFields as Entry[])[0]!.fieldsV1;
  };
  // As kube-apiserver 1.32.3 answers.
  assert.deepEqual(
    await fieldsOf('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mine' } }),
    { 'f:metadata': { 'f:labels': { '.': {}, 'f:kubernetes.io/metadata.name': {} } } },
  );
  const headless = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'headless' },
    spec: { clusterIP: 'None', selector: { app: 'a' } },
  };
  assert.deepEqual(await fieldsOf('/api/v1/namespaces/default/services', headless), {
    'f:spec': {
      'f:clusterIP': {},
      'f:internalTrafficPolicy': {},
      'f:selector': {},
      'f:sessionAffinity': {},
      'f:type': {},
    },
  });
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'claim' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  assert.deepEqual(await fieldsOf('/api/v1/namespaces/default/persistentvolumeclaims', claim), {
    'f:spec': {
      'f:accessModes': {},
      'f:resources': { 'f:requests': { '.': {}, 'f:storage': {} } },
      'f:volumeMode': {},
    },
  });
  const rolling = await fieldsOf(deployments, deployment('rolling'));
  assert.deepEqual((rolling as Record<string, Record<string, unknown>>)['f:spec']!['f:strategy'], {
    'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} },
    'f:type': {},
  });
});

test('an empty list of managedFields resets them; null and absence keep them', async () => {
  const path = `${maps}/reset`;
  await apply(path, configMap('reset', { data: { a: '1' } }));
  for (const body of [{ metadata: { managedFields: null } }, { metadata: {} }]) {
    assert.deepEqual(managersOf((await mergePatch(api, path, body)).object), ['test Apply']);
  }
  for (const managedFields of [[], [{}]]) {
    const { object } = await mergePatch(api, path, { metadata: { managedFields } });
    assert.equal(object.metadata!.managedFields, undefined);
    await apply(path, configMap('reset', { data: { a: '1' } }));
  }
});

test('a client may rewrite managedFields, as kubectl does to migrate from client-side apply', async () => {
  const path = `${maps}/migrated`;
  const made = await send(api, `POST ${maps}?fieldManager=old`, {
    body: configMap('migrated', { data: { a: '1' } }),
  });
  const [entry] = made.object.metadata!.managedFields as Entry[];
  const value = [{ ...entry, manager: 'new', operation: 'Apply' }];
  const { object } = await send(api, `PATCH ${path}`, {
    body: [{ op: 'replace', path: '/metadata/managedFields', value }],
    headers: { 'content-type': 'application/json-patch+json' },
  });
  assert.deepEqual(managersOf(object), ['new Apply']);
  for (const nonsense of [
    { manager: 'x' },
    { manager: 'x', operation: 'Update' },
    { ...entry, fieldsV1: { x: {} } },
  ]) {
    const kept = await mergePatch(api, path, { metadata: { managedFields: [nonsense] } });
    assert.deepEqual(managersOf(kept.object), ['new Apply']);
  }
});

test('what the control plane makes for itself is not tracked until somebody applies', async () => {
  const { object: made } = await send(api, `POST ${maps}`, { body: configMap('own', { data: { a: '1' } }) });
  assert.equal(made.metadata!.managedFields, undefined);
  const refused = await apply(`${maps}/own`, configMap('own', { data: { a: '2' } }));
  assert.match(refused.object.message, /conflict with "before-first-apply" using v1: \.data\.a$/);
});

test('who only renews leases is not tracked until somebody applies', async () => {
  const lease = (holderIdentity: string) => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'one' },
    spec: { holderIdentity },
  });
  const made = await send(api, `POST ${leases}?fieldManager=made`, { body: lease('a') });
  assert.equal(made.object.metadata!.managedFields, undefined);
  assert.equal(
    (await mergePatch(api, `${leases}/one`, lease('b'))).object.metadata!.managedFields,
    undefined,
  );
  const { object } = await apply(`${leases}/one`, lease('b'));
  assert.deepEqual(managersOf(object), ['test Apply', 'before-first-apply Update']);
});

test('a dry run answers with what would be, and changes nothing', async () => {
  const made = await apply(
    `${maps}/dry`,
    configMap('dry', { data: { a: '1' } }),
    'fieldManager=test&dryRun=All',
  );
  assert.equal(made.code, 201);
  assert.deepEqual(managersOf(made.object), ['test Apply']);
  assert.equal((await send(api, `GET ${maps}/dry`)).code, 404);
});

test('a stale resourceVersion in the configuration is a conflict', async () => {
  const { object } = await apply(`${maps}/stale`, configMap('stale', { data: { a: '1' } }));
  const { resourceVersion } = object.metadata!;
  await mergePatch(api, `${maps}/stale`, { data: { b: '1' } });
  const body = { ...configMap('stale'), metadata: { name: 'stale', resourceVersion } };
  assert.match((await apply(`${maps}/stale`, body)).object.message, /the object has been modified/);
});

test('what cannot be applied is refused with what is wrong', async () => {
  const path = `${pods}/wrong`;
  for (const { body, query, code, message } of [
    {
      body: pod('wrong'),
      query: '',
      code: 422,
      message:
        /^PatchOptions\.meta\.k8s\.io "" is invalid: fieldManager: Required value: is required for apply patch$/,
    },
    {
      body: pod('wrong'),
      query: `fieldManager=${'x'.repeat(129)}`,
      code: 422,
      message: /fieldManager: Too long: may not be more than 128 bytes/,
    },
    {
      body: pod('wrong'),
      query: 'fieldManager=a%0Ab',
      code: 422,
      message: /fieldManager: Invalid value: "a\\nb": invalid character U\+000A \(at position 1\)/,
    },
    { body: [], query: 'fieldManager=a', code: 400, message: /an applied configuration must be an object/ },
    {
      body: { ...pod('wrong'), kind: undefined },
      query: 'fieldManager=a',
      code: 400,
      message: /Object 'Kind' is missing/,
    },
    {
      body: { ...pod('wrong'), apiVersion: 'v2' },
      query: 'fieldManager=a',
      code: 400,
      message: /Specified patch version: v2, expected: v1/,
    },
    {
      body: pod('other'),
      query: 'fieldManager=a',
      code: 400,
      message: /the name of the object \(other\) does not match the name on the URL \(wrong\)/,
    },
    {
      body: pod('wrong', { foo: 1 }),
      query: 'fieldManager=a',
      code: 400,
      message:
        /failed to create typed patch object \(default\/wrong; v1, Kind=Pod\): \.spec\.foo: field not declared in schema/,
    },
    {
      body: pod('wrong', {}, { managedFields: [] }),
      query: 'fieldManager=a',
      code: 400,
      message: /metadata\.managedFields must be nil/,
    },
    {
      body: pod('wrong', { containers: [] }),
      query: 'fieldManager=a',
      code: 422,
      message: /spec\.containers: Required value/,
    },
  ]) {
    const refused = await apply(path, body, query);
    assert.equal(refused.code, code, JSON.stringify(refused.object));
    assert.match(refused.object.message, message);
  }
  const forced = await send(api, `PATCH ${path}?force=true`, {
    body: {},
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.match(forced.object.message, /force: Forbidden: may not be specified for non-apply patch/);
});

test('making by applying takes the right to create', async () => {
  const node = running.server.transport({ name: 'system:node:n1', groups: ['system:nodes'] });
  const { code, object } = await send(node, `PATCH ${maps}/forbidden?fieldManager=a`, {
    body: configMap('forbidden'),
    headers: applyType,
  });
  assert.equal(code, 403, JSON.stringify(object));
});

test('two that apply at the same time both have their way', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `m${index}`);
  const answers = await Promise.all(
    names.map((name) =>
      apply(`${maps}/together`, configMap('together', { data: { [name]: '1' } }), `fieldManager=${name}`),
    ),
  );
  for (const { code, object } of answers) assert.ok(code < 300, JSON.stringify(object));
  const { object } = await send(api, `GET ${maps}/together`);
  assert.deepEqual(Object.keys(object.data).sort(), names);
  assert.equal(managersOf(object).length, 10);
});
