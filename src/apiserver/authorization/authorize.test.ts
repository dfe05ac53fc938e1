import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { volumeNodeLabel } from '../../api/local-path.ts';
import type { Transport } from '../../client/transport.ts';
import { createRequest } from '../../identity/csr.ts';
import { configMap, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import type { User } from '../user.ts';

let running: TestServer;
let admin: Transport;
const as = (user: User) => running.server.transport(user);
const authenticated = 'system:authenticated';
const node = (name: string): User => ({
  name: `system:node:${name}`,
  groups: ['system:nodes', authenticated],
});
const pods = '/api/v1/namespaces/default/pods';

before(async () => {
  running = await startTestServer({ listens: false });
  admin = running.server.transport();
  for (const name of ['mine', 'other', 'projected', 'pulled']) {
    await send(admin, 'POST /api/v1/namespaces/default/secrets', { body: { metadata: { name } } });
    await send(admin, 'POST /api/v1/namespaces/default/configmaps', { body: configMap(name) });
  }
  const spec = {
    nodeName: 'n1',
    serviceAccountName: 'worker',
    imagePullSecrets: [{ name: 'pulled' }],
    containers: [{ name: 'main', image: 'x', envFrom: [{ secretRef: { name: 'mine' } }] }],
    volumes: [
      {
        name: 'a',
        projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'projected' } }] },
      },
    ],
  };
  await send(admin, `POST ${pods}`, { body: pod('on-n1', spec) });
  await send(admin, `POST ${pods}`, { body: pod('on-n2', { nodeName: 'n2' }) });
  for (const name of ['n1', 'n2']) await send(admin, 'POST /api/v1/nodes', { body: { metadata: { name } } });
});
after(() => running.close());

async function codes(user: User, lines: string[]): Promise<number[]> {
  return Promise.all(lines.map(async (line) => (await send(as(user), line, { body: bodyOf(line) })).code));
}

const bodyOf = (line: string) => (line.startsWith('GET') || line.startsWith('DELETE') ? undefined : {});

test('a node reads the secrets and config maps that its own pods name, and no others', async () => {
  const secrets = '/api/v1/namespaces/default/secrets';
  const maps = '/api/v1/namespaces/default/configmaps';
  const lines = ['mine', 'pulled', 'projected', 'other'].map((name) => `GET ${secrets}/${name}`);
  assert.deepEqual(await codes(node('n1'), lines), [200, 200, 200, 403]);
  assert.deepEqual(await codes(node('n2'), lines), [403, 403, 403, 403]);
  assert.deepEqual(await codes(node('n1'), [`GET ${maps}/projected`, `GET ${maps}/mine`]), [200, 403]);
  assert.deepEqual(await codes(node('n1'), [`GET ${secrets}`, 'GET /api/v1/secrets']), [403, 403]);
});

test('a node lists the pods bound to it, and no others', async () => {
  const own = await send(as(node('n1')), 'GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1');
  assert.deepEqual(
    own.object.items!.map(({ metadata }) => metadata!.name),
    ['on-n1'],
  );
  const lines = [
    'GET /api/v1/pods',
    'GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn2',
    `GET ${pods}/on-n2`,
  ];
  assert.deepEqual(await codes(node('n1'), lines), [403, 403, 403]);
});

test('a field selector that only looks like its own opens nothing', async () => {
  const lines = [
    'GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn2%5C%2C%3Dn1',
    'GET /api/v1/pods?fieldSelector=spec.nodeName!%3Dn1',
    'GET /api/v1/pods?fieldSelector=metadata.name%3Dspec.nodeName%3Dn1',
    'GET /api/v1/pods?fieldSelector=spec.nodeName%3Dx&fieldSelector=spec.nodeName%3Dn1',
  ];
  for (const line of lines) {
    const { code, object } = await send(as(node('n1')), line);
    const isHarmless =
      code === 200 &&
      object.items!.every((item) => (item as { spec?: { nodeName?: string } }).spec?.nodeName === 'n1');
    assert.ok(code >= 400 || isHarmless, `${line} answered ${code}`);
  }
});

test('a node writes the status of its own pods and deletes them, and touches no others', async () => {
  const status = { status: { phase: 'Running' } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  const patch = (path: string) => send(as(node('n1')), `PATCH ${path}`, { body: status, headers });
  assert.equal((await patch(`${pods}/on-n1/status`)).code, 200);
  assert.equal((await patch(`${pods}/on-n2/status`)).code, 403);
  assert.equal((await patch(`${pods}/on-n1`)).code, 403);
  assert.equal((await send(as(node('n1')), `POST ${pods}`, { body: pod('made') })).code, 403);
  assert.equal((await send(as(node('n1')), `DELETE ${pods}/on-n2`)).code, 403);
});

test('a node writes its own Node and Lease only', async () => {
  const body = (name: string) => ({ metadata: { name } });
  const put = (user: User, path: string, name: string) =>
    send(as(user), `PUT ${path}/${name}`, { body: body(name) });
  assert.equal((await put(node('n1'), '/api/v1/nodes', 'n1')).code, 200);
  const other = await put(node('n1'), '/api/v1/nodes', 'n2');
  assert.equal(other.code, 403);
  assert.match(other.object.message, /node "n1" is not allowed to modify node "n2"/);
  assert.equal((await send(as(node('n1')), 'POST /api/v1/nodes', { body: body('n3') })).code, 403);
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
  assert.equal((await send(as(node('n1')), `POST ${leases}`, { body: body('n2') })).code, 403);
  assert.equal((await send(as(node('n1')), `POST ${leases}`, { body: body('n1') })).code, 201);
  assert.equal((await put(node('n2'), leases, 'n1')).code, 403);
  assert.equal((await send(as(node('n1')), 'DELETE /api/v1/nodes/n1')).code, 403);
});

test('a node serves the status of a service only where it is its load balancer', async () => {
  const services = '/api/v1/namespaces/default/services';
  const annotations = { 'selvage.dev/load-balancer-node': 'n1' };
  const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] };
  await send(admin, `POST ${services}`, { body: { metadata: { name: 'web', annotations }, spec } });
  const body = { status: { loadBalancer: { ingress: [{ ip: '127.42.0.1' }] } } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  const patch = (user: User) => send(as(user), `PATCH ${services}/web/status`, { body, headers });
  assert.equal((await patch(node('n2'))).code, 403);
  assert.equal((await patch(node('n1'))).object.status.loadBalancer.ingress[0].ip, '127.42.0.1');
  const main = (change: object) => send(as(node('n1')), `PATCH ${services}/web`, { body: change, headers });
  assert.equal(
    (await main({ metadata: { annotations: { 'selvage.dev/load-balancer-address': 'a' } } })).code,
    200,
  );
  assert.equal((await main({ spec: { selector: { app: 'mine' } } })).code, 403);
  assert.equal(
    (await main({ metadata: { annotations: { 'selvage.dev/load-balancer-node': 'n2' } } })).code,
    403,
  );
  assert.equal((await main({ metadata: { labels: { a: 'b' } } })).code, 403);
});

test('a node lets go of the volumes that it keeps, and changes nothing else of them', async () => {
  const volumes = '/api/v1/persistentvolumes';
  const headers = { 'content-type': 'application/merge-patch+json' };
  const spec = {
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Gi' },
    hostPath: { path: '/x' },
  };
  const labels = { [volumeNodeLabel]: 'n1' };
  const finalizers = ['example.com/kept'];
  for (const name of ['kept', 'strange']) {
    const metadata = { name, finalizers, ...(name === 'kept' && { labels }) };
    const made = await send(admin, `POST ${volumes}`, { body: { metadata, spec } });
    assert.equal(made.code, 201, made.object.message);
  }
  const patch = (user: User, name: string, body: object) =>
    send(as(user), `PATCH ${volumes}/${name}`, { body, headers });
  const letGo = { metadata: { finalizers: [] } };
  const refused = async (answer: ReturnType<typeof patch>, why: RegExp) => {
    const { code, object } = await answer;
    assert.deepEqual([code, why.test(object.message ?? '')], [403, true], object.message);
  };
  await refused(patch(node('n2'), 'kept', letGo), /node "n2" does not keep this volume/);
  await refused(patch(node('n1'), 'strange', letGo), /node "n1" does not keep this volume/);
  const onlyFinalizers = /may only change its finalizers, by a merge patch/;
  await refused(patch(node('n1'), 'kept', { spec: { hostPath: { path: '/' } } }), onlyFinalizers);
  await refused(patch(node('n1'), 'kept', { metadata: { ...letGo.metadata, labels: {} } }), onlyFinalizers);
  assert.deepEqual(
    await codes(node('n1'), [
      `PUT ${volumes}/kept`,
      `DELETE ${volumes}/kept`,
      `PATCH ${volumes}/kept/status`,
      `POST ${volumes}`,
    ]),
    [403, 403, 403, 403],
  );
  const { code, object } = await patch(node('n1'), 'kept', letGo);
  assert.deepEqual([code, object.metadata?.finalizers ?? []], [200, []]);
});

test('a joining machine asks for a certificate under its own name, and for nothing else', async () => {
  const joining: User = { name: 'system:bootstrap:selvage', groups: ['system:bootstrappers', authenticated] };
  const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const body = {
    metadata: { name: 'join-1' },
    spec: {
      request: Buffer.from(createRequest({ commonName: 'system:node:n9' }).csrPem).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['client auth'],
      username: 'somebody-else',
      groups: ['system:masters'],
    },
  };
  const { code, object } = await send(as(joining), `POST ${requests}`, { body });
  assert.equal(code, 201, object.message);
  assert.equal(object.spec.username, 'system:bootstrap:selvage');
  assert.deepEqual(object.spec.groups, joining.groups);
  const approval = { ...object, status: { conditions: [{ type: 'Approved', status: 'True' }] } };
  assert.equal((await send(as(joining), `PUT ${requests}/join-1/approval`, { body: approval })).code, 403);
  assert.deepEqual(
    await codes(joining, [`GET ${pods}`, 'GET /api/v1/nodes', `DELETE ${requests}/join-1`]),
    [403, 403, 403],
  );
  const approved = await send(admin, `PUT ${requests}/join-1/approval`, { body: approval });
  assert.equal(approved.object.status.conditions[0].type, 'Approved');
});

test('a service account learns what the server offers and nothing of what is in it', async () => {
  const account: User = {
    name: 'system:serviceaccount:default:worker',
    groups: ['system:serviceaccounts', authenticated],
  };
  assert.deepEqual(await codes(account, ['GET /api', 'GET /apis', `GET ${pods}`]), [200, 200, 403]);
  const { object } = await send(as(account), `GET ${pods}/on-n1`);
  assert.equal(
    object.message,
    'pods "on-n1" is forbidden: User "system:serviceaccount:default:worker" cannot get resource "pods" in API group "" in the namespace "default"',
  );
});
