import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mergePatch, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import type { User } from '../user.ts';

let running: TestServer;
const n1: User = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
const as = (user?: User) => running.server.transport(user);
const labelled = (labels: object) => ({ metadata: { labels } });

before(async () => {
  running = await startTestServer({ listens: false });
});
after(() => running.close());

test('a node registers with the labels that are its to set, and with no others', async () => {
  const register = (labels: object) =>
    send(as(n1), 'POST /api/v1/nodes', { body: { metadata: { name: 'n1', labels } } });
  for (const label of [
    'node-restriction.kubernetes.io/pci',
    'node-role.kubernetes.io/control-plane',
    'x.k8s.io/a',
  ]) {
    const { code, object } = await register({ [label]: 'yes' });
    assert.equal(code, 403, label);
    assert.equal(
      object.message,
      `nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: ${label}`,
    );
  }
  const own = {
    'kubernetes.io/hostname': 'n1',
    'topology.kubernetes.io/zone': 'a',
    'node.kubernetes.io/pool': 'x',
    disk: 'ssd',
    'example.com/rack': '7',
  };
  assert.equal((await register(own)).code, 201);
});

test('it changes neither restricted labels nor taints, by whatever path', async () => {
  const restricted = { 'node-restriction.kubernetes.io/team': 'a' };
  await mergePatch(as(), '/api/v1/nodes/n1', labelled(restricted));
  await mergePatch(as(), '/api/v1/nodes/n1', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
  for (const path of ['/api/v1/nodes/n1', '/api/v1/nodes/n1/status']) {
    assert.equal(
      (await mergePatch(as(n1), path, labelled({ 'node-restriction.kubernetes.io/team': 'b' }))).code,
      403,
    );
    assert.equal(
      (await mergePatch(as(n1), path, labelled({ 'node-restriction.kubernetes.io/team': null }))).code,
      403,
    );
    assert.equal((await mergePatch(as(n1), path, labelled({ free: 'yes' }))).code, 200, path);
  }
  const { code, object } = await mergePatch(as(n1), '/api/v1/nodes/n1', { spec: { taints: [] } });
  assert.equal(code, 403);
  assert.match(object.message, /node "n1" is not allowed to modify taints/);
  assert.equal((await mergePatch(as(n1), '/api/v1/nodes/n2', labelled({ free: 'yes' }))).code, 403);
});

test('it does not relabel its pods by their status', async () => {
  await send(as(), 'POST /api/v1/namespaces/default/pods', { body: pod('own', { nodeName: 'n1' }) });
  const path = '/api/v1/namespaces/default/pods/own/status';
  const relabelled = await mergePatch(as(n1), path, labelled({ app: 'bank' }));
  assert.equal(relabelled.code, 403);
  assert.match(relabelled.object.message, /cannot update labels through pod status/);
  assert.equal((await mergePatch(as(n1), path, { status: { phase: 'Running' } })).code, 200);
});
