// What the conformance descriptions promise of status, scale, namespaces, field validation and representations.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mergePatch, send } from '../../src/apiserver/test-request.ts';
import { startTestServer, type TestServer } from '../../src/apiserver/test-server.ts';
import type { Transport } from '../../src/client/transport.ts';

let server: TestServer;
let api: Transport;
before(async () => {
  server = await startTestServer({ listens: false });
  api = server.server.transport();
});
after(() => server.close());

const template = {
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'main', image: 'app:1' }] },
};
const workload = { selector: { matchLabels: { app: 'x' } }, template };
const spaced = '/namespaces/default';
const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'set from a test' };

interface Writable {
  kind: string;
  path: string;
  body: object;
  /** What the status may be set to. */
  status: Record<string, unknown>;
  /** A spec that a write of the status must not change. */
  spec: object;
}

const withStatus: Writable[] = [
  {
    kind: 'Deployment',
    path: `/apis/apps/v1${spaced}/deployments`,
    body: { spec: workload },
    status: { conditions: [condition] },
    spec: { replicas: 9 },
  },
  {
    kind: 'ReplicaSet',
    path: `/apis/apps/v1${spaced}/replicasets`,
    body: { spec: workload },
    status: { replicas: 0, conditions: [condition] },
    spec: { replicas: 9 },
  },
  {
    kind: 'StatefulSet',
    path: `/apis/apps/v1${spaced}/statefulsets`,
    body: { spec: { ...workload, serviceName: 'x' } },
    status: { replicas: 0, conditions: [condition] },
    spec: { replicas: 9 },
  },
  {
    kind: 'DaemonSet',
    path: `/apis/apps/v1${spaced}/daemonsets`,
    body: { spec: workload },
    status: {
      conditions: [condition],
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    },
    spec: { minReadySeconds: 9 },
  },
  {
    kind: 'Job',
    path: `/apis/batch/v1${spaced}/jobs`,
    body: { spec: { suspend: true, template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
    status: { conditions: [condition] },
    spec: { parallelism: 9 },
  },
  {
    kind: 'PodDisruptionBudget',
    path: `/apis/policy/v1${spaced}/poddisruptionbudgets`,
    body: { spec: { minAvailable: 1 } },
    status: { currentHealthy: 1, desiredHealthy: 1, disruptionsAllowed: 0, expectedPods: 1 },
    spec: { minAvailable: 9 },
  },
  {
    kind: 'ResourceQuota',
    path: `/api/v1${spaced}/resourcequotas`,
    body: { spec: { hard: { 'count/jobs.batch': '500' } } },
    status: { hard: { 'count/jobs.batch': '500' }, used: { 'count/jobs.batch': '1' } },
    spec: { hard: { 'count/jobs.batch': '9' } },
  },
  {
    kind: 'Namespace',
    path: '/api/v1/namespaces',
    body: {},
    status: { phase: 'Active', conditions: [condition] },
    spec: { finalizers: ['example.com/other'] },
  },
];

for (const { kind, path, body, status, spec } of withStatus) {
  test(`the status of a ${kind} is read, patched and replaced by itself`, async () => {
    const apiVersion = path.startsWith('/api/') ? 'v1' : path.split('/').slice(2, 4).join('/');
    const own = `${path}/status-of-it`;
    const made = await send(api, `POST ${path}`, {
      body: { apiVersion, kind, metadata: { name: 'status-of-it' }, ...body },
    });
    assert.equal(made.code, 201, JSON.stringify(made.object));
    const patched = await mergePatch(api, `${own}/status`, { status, spec });
    assert.equal(patched.code, 200, JSON.stringify(patched.object));
    const read = await send(api, `GET ${own}/status`);
    for (const [field, value] of Object.entries(status)) {
      const shown = read.object.status[field];
      if (field === 'conditions') assert.equal(shown.at(-1).message, condition.message);
      else assert.deepEqual(shown, value, field);
    }
    assert.deepEqual(read.object.spec, made.object.spec, 'the spec is left alone');
    const again = { ...read.object, metadata: { ...read.object.metadata, labels: { late: 'yes' } } };
    const replaced = await send(api, `PUT ${own}/status`, { body: again });
    assert.equal(replaced.code, 200, JSON.stringify(replaced.object));
    const changed = await mergePatch(api, own, { metadata: { labels: { main: 'yes' } }, status: {} });
    assert.equal(changed.object.metadata?.labels?.main, 'yes');
    assert.deepEqual(changed.object.status, replaced.object.status, 'the status is left alone');
  });
}

for (const [kind, path, body] of [
  ['Deployment', `/apis/apps/v1${spaced}/deployments`, { spec: { ...workload, replicas: 1 } }],
  ['ReplicaSet', `/apis/apps/v1${spaced}/replicasets`, { spec: { ...workload, replicas: 1 } }],
  [
    'StatefulSet',
    `/apis/apps/v1${spaced}/statefulsets`,
    { spec: { ...workload, replicas: 1, serviceName: 'x' } },
  ],
  [
    'ReplicationController',
    `/api/v1${spaced}/replicationcontrollers`,
    { spec: { selector: { app: 'x' }, template, replicas: 1 } },
  ],
] as const) {
  test(`the scale of a ${kind} is read, replaced and patched, and its size with it`, async () => {
    const apiVersion = path.startsWith('/api/') ? 'v1' : 'apps/v1';
    await send(api, `POST ${path}`, { body: { apiVersion, kind, metadata: { name: 'scaled' }, ...body } });
    const scale = await send(api, `GET ${path}/scaled/scale`);
    assert.equal(scale.object.kind, 'Scale');
    assert.equal(scale.object.apiVersion, 'autoscaling/v1');
    assert.equal(scale.object.spec.replicas, 1);
    const replaced = await send(api, `PUT ${path}/scaled/scale`, {
      body: { ...scale.object, spec: { replicas: 2 } },
    });
    assert.equal(replaced.object.spec.replicas, 2);
    assert.equal((await send(api, `GET ${path}/scaled`)).object.spec.replicas, 2);
    const patched = await mergePatch(api, `${path}/scaled/scale`, { spec: { replicas: 4 } });
    assert.equal(patched.object.spec.replicas, 4);
    assert.equal((await send(api, `GET ${path}/scaled`)).object.spec.replicas, 4);
    const negative = await mergePatch(api, `${path}/scaled/scale`, { spec: { replicas: -1 } });
    assert.equal(negative.code, 422);
  });
}

const newNamespace = async (name: string) => {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  return (await send(api, 'POST /api/v1/namespaces', { body })).object;
};

test('a namespace is patched', async () => {
  await newNamespace('patched');
  const { object } = await mergePatch(api, '/api/v1/namespaces/patched', {
    metadata: { labels: { testLabel: 'testValue' } },
  });
  assert.equal(object.metadata?.labels?.testLabel, 'testValue');
});

test('a namespace is replaced', async () => {
  const made = await newNamespace('replaced');
  const labels = { ...made.metadata?.labels, updated: 'yes' };
  const body = { ...made, metadata: { ...made.metadata, labels } };
  assert.equal((await send(api, 'PUT /api/v1/namespaces/replaced', { body })).code, 200);
  const { object } = await send(api, 'GET /api/v1/namespaces/replaced');
  assert.equal(object.metadata?.labels?.updated, 'yes');
});

test('a namespace gets and loses finalizers by the subresource finalize', async () => {
  const object = await newNamespace('finalized');
  const finalizers = [...object.spec.finalizers, 'example.com/fake'];
  const added = await send(api, 'PUT /api/v1/namespaces/finalized/finalize', {
    body: { ...object, spec: { finalizers } },
  });
  assert.deepEqual(added.object.spec.finalizers, ['kubernetes', 'example.com/fake']);
  const removed = await send(api, 'PUT /api/v1/namespaces/finalized/finalize', {
    body: { ...added.object, spec: { finalizers: ['kubernetes'] } },
  });
  assert.deepEqual(removed.object.spec.finalizers, ['kubernetes']);
});

test('unknown and duplicate fields of a typed object are refused where validation is strict, in all that is written', async () => {
  const path = '/apis/apps/v1/namespaces/default/deployments';
  const body = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'strict', unknownMeta: 'x' },
    spec: { ...workload, unknown1: 1 },
  };
  const made = await send(api, `POST ${path}?fieldValidation=Strict`, { body });
  assert.equal(made.code, 400);
  assert.match(made.object.message, /strict decoding error: .*unknown field "metadata\.unknownMeta"/);
  assert.match(made.object.message, /unknown field "spec\.unknown1"/);
  assert.equal((await send(api, `POST ${path}?fieldValidation=Ignore`, { body })).code, 201);
  const patched = await send(api, `PATCH ${path}/strict?fieldValidation=Strict`, {
    body: { spec: { unknown2: 1 } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.match(patched.object.message, /strict decoding error: unknown field "spec\.unknown2"/);
  const applied = await send(api, `PATCH ${path}/strict?fieldValidation=Strict&fieldManager=m`, {
    body: { ...body, metadata: { name: 'strict' } },
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
  assert.notEqual(applied.code, 200);
  assert.match(applied.object.message, /unknown1/);
});

test('a group that cannot be shown as a table answers 406', async () => {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { nonResourceAttributes: { path: '/', verb: 'get' } },
  };
  const answer = await send(api, 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    body,
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  assert.deepEqual([answer.code, answer.object.reason], [406, 'NotAcceptable']);
});

test('each API group has a preferred version, which it serves, with resources in it', async () => {
  const { groups } = (await send(api, 'GET /apis')).object;
  assert.ok(groups.length > 10);
  for (const { name, versions, preferredVersion } of groups) {
    const served = versions.map(({ groupVersion }: { groupVersion: string }) => groupVersion);
    assert.ok(served.includes(preferredVersion.groupVersion), name);
    for (const groupVersion of served) {
      const list = (await send(api, `GET /apis/${groupVersion}`)).object;
      assert.equal(list.groupVersion, groupVersion);
      assert.ok(list.resources.length > 0, groupVersion);
    }
  }
});

test('the server says which version it is', async () => {
  const { object } = await send(api, 'GET /version');
  assert.match(object.major, /^\d+$/);
  assert.match(object.minor, /^\d+\+?$/);
});

test('watches that begin at the same revision see the same events in the same order', async () => {
  const { openWatch, take } = await import('../../src/apiserver/test-request.ts');
  const path = '/api/v1/namespaces/default/configmaps';
  const from = (await send(api, `GET ${path}`)).object.metadata?.resourceVersion;
  const stop = new AbortController();
  const watches = await Promise.all(
    Array.from({ length: 5 }, () =>
      openWatch(api, `GET ${path}?watch=1&resourceVersion=${from}`, { signal: stop.signal }),
    ),
  );
  const names = Array.from({ length: 20 }, (_, index) => `ordered-${index}`);
  await Promise.all(
    names.map((name) =>
      send(api, `POST ${path}`, { body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } }),
    ),
  );
  const seen = await Promise.all(watches.map((events) => take(events, names.length)));
  for (const each of seen) assert.deepEqual(each, seen[0]);
  assert.equal(new Set(seen[0]).size, names.length);
  stop.abort();
  for (const events of watches) await events.return?.();
});
