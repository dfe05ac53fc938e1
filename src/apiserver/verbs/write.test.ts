import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { configMap, deployment, mergePatch, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

let running: TestServer;
let api: Transport;
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const pods = '/api/v1/namespaces/default/pods';

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
});
after(() => running.close());

test('create fills in uid, creationTimestamp, namespace and resourceVersion', async () => {
  const { code, object } = await send(api, `POST ${maps}`, {
    body: configMap('filled', { data: { a: '1' } }),
  });
  assert.equal(code, 201);
  assert.match(object.metadata!.uid!, /^[0-9a-f-]{36}$/);
  assert.match(object.metadata!.creationTimestamp!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(object.metadata!.namespace, 'default');
  const { object: read } = await send(api, `GET ${maps}/filled`);
  assert.deepEqual(read, object);
});

test('generateName draws names of its own', async () => {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'drawn-' } };
  const first = await send(api, `POST ${maps}`, { body });
  const second = await send(api, `POST ${maps}`, { body });
  assert.match(first.object.metadata!.name!, /^drawn-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.notEqual(first.object.metadata!.name, second.object.metadata!.name);
});

test('a name that is taken is AlreadyExists in Kubernetes words', async () => {
  await send(api, `POST ${deployments}`, { body: deployment('taken') });
  const { code, object } = await send(api, `POST ${deployments}`, { body: deployment('taken') });
  assert.equal(code, 409);
  assert.equal(object.message, 'deployments.apps "taken" already exists');
  assert.equal(object.reason, 'AlreadyExists');
  assert.deepEqual(object.details, { name: 'taken', group: 'apps', kind: 'deployments' });
});

test('an object that does not exist is NotFound in Kubernetes words', async () => {
  for (const line of [`GET ${maps}/nowhere`, `DELETE ${maps}/nowhere`]) {
    const { code, object } = await send(api, line);
    assert.equal(code, 404);
    assert.equal(object.message, 'configmaps "nowhere" not found');
  }
  const put = await send(api, `PUT ${maps}/nowhere`, { body: configMap('nowhere') });
  assert.equal(put.code, 404);
});

test('a namespace that does not exist takes no objects', async () => {
  const { code, object } = await send(api, 'POST /api/v1/namespaces/nowhere/configmaps', {
    body: configMap('a'),
  });
  assert.equal(code, 404);
  assert.equal(object.message, 'namespaces "nowhere" not found');
});

test('an object of another namespace than the path is refused', async () => {
  const body = { ...configMap('a'), metadata: { name: 'a', namespace: 'kube-system' } };
  const { code, object } = await send(api, `POST ${maps}`, { body });
  assert.equal(code, 400);
  assert.equal(
    object.message,
    'the namespace of the provided object does not match the namespace sent on the request',
  );
});

test('an invalid object is refused with the field and the cause', async () => {
  const { code, object } = await send(api, `POST ${pods}`, {
    body: pod('bad', { containers: [{ name: 'main' }] }),
  });
  assert.equal(code, 422);
  assert.equal(object.reason, 'Invalid');
  assert.equal(object.message, 'Pod "bad" is invalid: spec.containers[0].image: Required value');
  assert.equal(object.details.causes[0].field, 'spec.containers[0].image');
});

test('an update with an old resourceVersion is a conflict, and changes nothing', async () => {
  const { object } = await send(api, `POST ${deployments}`, { body: deployment('raced') });
  await mergePatch(api, `${deployments}/raced`, { spec: { replicas: 2 } });
  const stale = { ...object, spec: { ...object.spec, replicas: 7 } };
  const { code, object: status } = await send(api, `PUT ${deployments}/raced`, { body: stale });
  assert.equal(code, 409);
  assert.equal(
    status.message,
    'Operation cannot be fulfilled on deployments.apps "raced": the object has been modified; ' +
      'please apply your changes to the latest version and try again',
  );
  assert.equal((await send(api, `GET ${deployments}/raced`)).object.spec.replicas, 2);
});

test('an update without resourceVersion wins', async () => {
  await send(api, `POST ${maps}`, { body: configMap('plain', { data: { a: '1' } }) });
  const { code, object } = await send(api, `PUT ${maps}/plain`, {
    body: configMap('plain', { data: { a: '2' } }),
  });
  assert.equal(code, 200);
  assert.deepEqual(object.data, { a: '2' });
});

test('an update that changes nothing writes nothing', async () => {
  const { object } = await send(api, `POST ${maps}`, { body: configMap('same', { data: { a: '1' } }) });
  const revision = running.store.revision();
  const again = await send(api, `PUT ${maps}/same`, { body: object });
  assert.equal(again.object.metadata!.resourceVersion, object.metadata!.resourceVersion);
  assert.equal(running.store.revision(), revision);
});

test('the generation counts changes of the spec, not of labels or status', async () => {
  const path = `${deployments}/counted`;
  await send(api, `POST ${deployments}`, { body: deployment('counted') });
  assert.equal((await mergePatch(api, path, { spec: { replicas: 3 } })).object.metadata!.generation, 2);
  assert.equal(
    (await mergePatch(api, path, { metadata: { labels: { a: 'b' } } })).object.metadata!.generation,
    2,
  );
  const status = await mergePatch(api, `${path}/status`, { status: { replicas: 3 }, spec: { replicas: 9 } });
  assert.equal(status.object.metadata!.generation, 2);
  assert.equal(status.object.status.replicas, 3);
  assert.equal(status.object.spec.replicas, 3, 'a write of the status leaves the spec');
  const main = await mergePatch(api, path, { status: { replicas: 8 } });
  assert.equal(main.object.status.replicas, 3, 'a write of the object leaves the status');
});

test('concurrent patches without resourceVersion all take effect', async () => {
  await send(api, `POST ${maps}`, { body: configMap('busy') });
  const patches = Array.from({ length: 4 }, (_, index) =>
    mergePatch(api, `${maps}/busy`, { data: { [`key-${index}`]: 'x' } }),
  );
  assert.deepEqual(
    (await Promise.all(patches)).map(({ code }) => code),
    [200, 200, 200, 200],
  );
  assert.equal(Object.keys((await send(api, `GET ${maps}/busy`)).object.data).length, 4);
});

test('a JSON patch, a merge patch and a strategic merge patch each follow their rules', async () => {
  const path = `${deployments}/patched`;
  await send(api, `POST ${deployments}`, { body: deployment('patched') });
  const json = await send(api, `PATCH ${path}`, {
    body: [{ op: 'replace', path: '/spec/replicas', value: 4 }],
    headers: { 'content-type': 'application/json-patch+json' },
  });
  assert.equal(json.object.spec.replicas, 4);
  const strategic = await send(api, `PATCH ${path}`, {
    body: { spec: { template: { spec: { containers: [{ name: 'side', image: 'side:1' }] } } } },
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
  });
  const names = strategic.object.spec.template.spec.containers.map(({ name }: { name: string }) => name);
  assert.deepEqual([...names].sort(), ['main', 'side']);
  const merged = await mergePatch(api, path, { metadata: { annotations: { a: 'b' } } });
  assert.equal(merged.object.metadata!.annotations!.a, 'b');
});

test('an unknown field is dropped with a warning, or refused where the client is strict', async () => {
  const body = pod('odd', { containers: [{ name: 'main', image: 'app:1', imagee: 'x' }] });
  const warned = await send(api, `POST ${pods}?dryRun=All`, { body });
  assert.equal(warned.code, 201);
  assert.equal(warned.headers.warning, '299 - "unknown field \\"spec.containers[0].imagee\\""');
  const strict = await send(api, `POST ${pods}?fieldValidation=Strict`, { body });
  assert.equal(strict.code, 400);
  assert.match(strict.object.message, /strict decoding error: unknown field "spec.containers\[0\].imagee"/);
  const ignored = await send(api, `POST ${pods}?fieldValidation=Ignore&dryRun=All`, { body });
  assert.equal(ignored.headers.warning, undefined);
});

test('a dry run answers as if it had happened, and nothing has', async () => {
  const revision = running.store.revision();
  assert.equal((await send(api, `POST ${maps}?dryRun=All`, { body: configMap('dry') })).code, 201);
  assert.equal((await send(api, `DELETE ${maps}/kube-root?dryRun=All`)).code, 404);
  assert.equal((await send(api, `POST ${maps}?dryRun=Some`, { body: configMap('dry') })).code, 422);
  assert.equal(running.store.revision(), revision);
});

test('scale reads and writes the replicas of a deployment, with its selector as text', async () => {
  await send(api, `POST ${deployments}`, { body: deployment('scaled', { replicas: 1 }) });
  const path = `${deployments}/scaled/scale`;
  const { object } = await send(api, `GET ${path}`);
  assert.equal(object.kind, 'Scale');
  assert.equal(object.spec.replicas, 1);
  assert.equal(object.status.selector, 'app=scaled');
  const put = await send(api, `PUT ${path}`, { body: { ...object, spec: { replicas: 5 } } });
  assert.equal(put.object.spec.replicas, 5);
  assert.equal((await mergePatch(api, path, { spec: { replicas: 6 } })).object.spec.replicas, 6);
  const stale = await send(api, `PUT ${path}`, { body: { ...object, spec: { replicas: 7 } } });
  assert.equal(stale.code, 409);
  const negative = await mergePatch(api, path, { spec: { replicas: -1 } });
  assert.equal(negative.code, 422);
  assert.equal((await send(api, `GET ${deployments}/scaled`)).object.spec.replicas, 6);
});

test('a binding gives a pod its node once', async () => {
  await send(api, `POST ${pods}`, { body: pod('bound') });
  const body = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'bound' },
    target: { kind: 'Node', name: 'n1' },
  };
  assert.equal((await send(api, `POST ${pods}/bound/binding`, { body })).code, 201);
  const { object } = await send(api, `GET ${pods}/bound`);
  assert.equal(object.spec.nodeName, 'n1');
  assert.equal(object.status.conditions[0].type, 'PodScheduled');
  const again = await send(api, `POST ${pods}/bound/binding`, { body });
  assert.equal(again.code, 409);
  assert.match(again.object.message, /pod bound is already assigned to node "n1"/);
});

test('what is wrong with a request never breaks the server', async () => {
  const lines = ['POST /api/v1/namespaces/default/configmaps', 'PUT /api/v1/namespaces/default/configmaps/x'];
  for (const line of lines) {
    for (const body of [null, 1, 'text', [], [[]], {}, { metadata: 5 }, { metadata: { labels: 'x' } }]) {
      const { code } = await send(api, line, { body });
      assert.ok(code >= 400 && code < 500, `${line} with ${JSON.stringify(body)} answered ${code}`);
    }
  }
  for (const type of ['json-patch', 'merge-patch', 'strategic-merge-patch']) {
    for (const body of [null, 1, 'text', [], [{}], [{ op: 'add' }], { metadata: 5 }, { $patch: 'no' }]) {
      const headers = { 'content-type': `application/${type}+json` };
      const { code } = await send(api, `PATCH ${maps}/filled`, { body, headers });
      assert.ok(code < 500, `${type} ${JSON.stringify(body)} answered ${code}`);
    }
  }
});
