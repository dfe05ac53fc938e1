import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import type { Transport } from '../../client/transport.ts';
import { configMap, deployment, mergePatch, openWatch, pod, send, take } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

let running: TestServer;
let api: Transport;
const clock = new FakeClock();
const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

before(async () => {
  running = await startTestServer({ listens: false, clock });
  api = running.server.transport();
});
after(() => running.close());

test('a deletion is answered with what was deleted', async () => {
  const { object } = await send(api, `POST ${maps}`, { body: configMap('gone') });
  const deleted = await send(api, `DELETE ${maps}/gone`);
  assert.equal(deleted.object.status, 'Success');
  assert.deepEqual(deleted.object.details, { name: 'gone', kind: 'configmaps', uid: object.metadata!.uid });
});

test('a pod that no node runs goes at once', async () => {
  await send(api, `POST ${pods}`, { body: pod('unbound') });
  const { object } = await send(api, `DELETE ${pods}/unbound`);
  assert.equal(object.kind, 'Pod');
  assert.equal((await send(api, `GET ${pods}/unbound`)).code, 404);
});

test('a pod on a node stays, with its grace period, until the node deletes it', async () => {
  await send(api, `POST ${pods}`, {
    body: pod('bound', { nodeName: 'n1', terminationGracePeriodSeconds: 7 }),
  });
  const { object } = await send(api, `DELETE ${pods}/bound`);
  assert.equal(object.metadata!.deletionGracePeriodSeconds, 7);
  assert.equal(
    Date.parse(object.metadata!.deletionTimestamp!),
    Math.floor(clock.nowMs() / 1000) * 1000 + 7000,
  );
  const shorter = await send(api, `DELETE ${pods}/bound?gracePeriodSeconds=2`);
  assert.equal(shorter.object.metadata!.deletionGracePeriodSeconds, 2);
  const longer = await send(api, `DELETE ${pods}/bound?gracePeriodSeconds=60`);
  assert.equal(longer.object.metadata!.deletionGracePeriodSeconds, 2, 'a grace period never grows');
  await send(api, `DELETE ${pods}/bound`, {
    body: { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 },
  });
  assert.equal((await send(api, `GET ${pods}/bound`)).code, 404);
});

test('a finalizer keeps an object until it is taken off, and none can be added meanwhile', async () => {
  const body = { ...configMap('held'), metadata: { name: 'held', finalizers: ['example.com/hold'] } };
  await send(api, `POST ${maps}`, { body });
  const { object } = await send(api, `DELETE ${maps}/held`);
  assert.ok(object.metadata!.deletionTimestamp);
  const more = await mergePatch(api, `${maps}/held`, {
    metadata: { finalizers: ['example.com/hold', 'example.com/b'] },
  });
  assert.equal(more.code, 422);
  assert.match(more.object.message, /no new finalizers can be added if the object is being deleted/);
  await mergePatch(api, `${maps}/held`, { metadata: { finalizers: [] } });
  assert.equal((await send(api, `GET ${maps}/held`)).code, 404);
});

test('the propagation policy leaves word for the garbage collector', async () => {
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  for (const [policy, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ]) {
    const name = policy!.toLowerCase();
    await send(api, `POST ${deployments}`, { body: deployment(name) });
    const { object } = await send(api, `DELETE ${deployments}/${name}?propagationPolicy=${policy}`);
    assert.deepEqual(object.metadata!.finalizers, [finalizer]);
    assert.ok(object.metadata!.deletionTimestamp);
  }
  await send(api, `POST ${deployments}`, { body: deployment('background') });
  await send(api, `DELETE ${deployments}/background?propagationPolicy=Background`);
  assert.equal((await send(api, `GET ${deployments}/background`)).code, 404);
  assert.equal((await send(api, `DELETE ${deployments}/orphan?propagationPolicy=Sideways`)).code, 422);
});

test('preconditions protect an object that is not the one meant', async () => {
  const { object } = await send(api, `POST ${maps}`, { body: configMap('guarded') });
  const wrong = await send(api, `DELETE ${maps}/guarded`, { body: { preconditions: { uid: 'other' } } });
  assert.equal(wrong.code, 409);
  assert.match(wrong.object.message, /Precondition failed: UID in precondition: other, UID in object meta: /);
  const right = await send(api, `DELETE ${maps}/guarded`, {
    body: { preconditions: { uid: object.metadata!.uid } },
  });
  assert.equal(right.code, 200);
});

test('deletecollection deletes what its selector chooses', async () => {
  for (const [name, app] of [
    ['c1', 'a'],
    ['c2', 'a'],
    ['c3', 'b'],
  ]) {
    await send(api, `POST ${maps}`, { body: { ...configMap(name!), metadata: { name, labels: { app } } } });
  }
  const { object } = await send(api, `DELETE ${maps}?labelSelector=app%3Da`);
  assert.equal(object.items!.length, 2);
  const left = (await send(api, `GET ${maps}?labelSelector=app`)).object;
  assert.deepEqual(
    left.items!.map(({ metadata }) => metadata!.name),
    ['c3'],
  );
});

test('a namespace is Terminating until it is finalized, and takes nothing new', async () => {
  await send(api, 'POST /api/v1/namespaces', { body: { metadata: { name: 'leaving' } } });
  const { object } = await send(api, 'DELETE /api/v1/namespaces/leaving');
  assert.equal(object.status.phase, 'Terminating');
  assert.deepEqual(object.spec.finalizers, ['kubernetes']);
  const refused = await send(api, 'POST /api/v1/namespaces/leaving/configmaps', { body: configMap('late') });
  assert.equal(refused.code, 403);
  assert.equal(
    refused.object.message,
    'configmaps "late" is forbidden: unable to create new content in namespace leaving because it is being terminated',
  );
  assert.equal(refused.object.details.causes[0].reason, 'NamespaceTerminating');
  const body = { ...object, spec: { finalizers: [] } };
  await send(api, 'PUT /api/v1/namespaces/leaving/finalize', { body });
  assert.equal((await send(api, 'GET /api/v1/namespaces/leaving')).code, 404);
});

test('the namespaces that the cluster lives in cannot be deleted', async () => {
  const { code, object } = await send(api, 'DELETE /api/v1/namespaces/kube-system');
  assert.equal(code, 403);
  assert.equal(object.message, 'namespaces "kube-system" is forbidden: this namespace may not be deleted');
});

test('an eviction deletes a pod with its grace period', async () => {
  await send(api, `POST ${pods}`, { body: pod('evicted', { nodeName: 'n1' }) });
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'evicted' } };
  assert.equal((await send(api, `POST ${pods}/evicted/eviction`, { body })).code, 201);
  const { object } = await send(api, `GET ${pods}/evicted`);
  assert.equal(object.metadata!.deletionGracePeriodSeconds, 30);
});

test('a watcher sees a graceful deletion begin and end', async () => {
  const events = await openWatch(api, `GET ${pods}?watch=true&fieldSelector=metadata.name%3Dwatched`);
  await send(api, `POST ${pods}`, { body: pod('watched', { nodeName: 'n1' }) });
  await send(api, `DELETE ${pods}/watched`);
  await send(api, `DELETE ${pods}/watched?gracePeriodSeconds=0`);
  assert.deepEqual(await take(events, 3), ['ADDED watched', 'MODIFIED watched', 'DELETED watched']);
  await events.return?.();
});
