import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import type { Transport } from '../client/transport.ts';
import { openServiceAccountTokens, type ServiceAccountTokens } from '../identity/service-account-token.ts';
import { mountPath } from './admission/service-account.ts';
import {
  type ServiceAccountAuthenticator,
  serviceAccountAuthenticator,
} from './service-account-authenticator.ts';
import { pod, send } from './test-request.ts';
import { startTestServer, type TestServer } from './test-server.ts';
import type { User } from './user.ts';

const inDefault = '/api/v1/namespaces/default';
const node = (name: string): User => ({
  name: `system:node:${name}`,
  groups: ['system:nodes', 'system:authenticated'],
});
const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
const keyDir = mkdtempSync(join(tmpdir(), 'selvage-sa-'));

let running: TestServer;
let admin: Transport;
let tokens: ServiceAccountTokens;
let authenticate: ServiceAccountAuthenticator;

before(async () => {
  tokens = openServiceAccountTokens({ keyPath: join(keyDir, 'sa.key'), clock });
  running = await startTestServer({ listens: false, clock, serviceAccountTokens: tokens });
  admin = running.server.transport();
  authenticate = serviceAccountAuthenticator({ tokens, store: running.store, clock });
  for (const name of ['worker', 'other']) {
    await send(admin, `POST ${inDefault}/serviceaccounts`, { body: { metadata: { name } } });
  }
  await send(admin, 'POST /api/v1/nodes', { body: { metadata: { name: 'n1' } } });
});
after(async () => {
  await running.close();
  rmSync(keyDir, { recursive: true });
});

const makePod = async (name: string, spec: object = {}) => {
  const { code, object } = await send(admin, `POST ${inDefault}/pods`, {
    body: pod(name, { serviceAccountName: 'worker', nodeName: 'n1', ...spec }),
  });
  assert.equal(code, 201, object.message);
  return object;
};
const request = (spec: object, by: Transport = admin, account = 'worker') =>
  send(by, `POST ${inDefault}/serviceaccounts/${account}/token`, { body: { spec } });
const boundTo = (name: string, uid: string | undefined) => ({
  boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
});
const isRefused = (token: string, audience?: string) =>
  assert.throws(
    () => authenticate(token, audience),
    (error) => isStatus(error, 'Unauthorized'),
  );

test('a token is for its account, its audience and its time', async () => {
  const { code, object } = await request({ expirationSeconds: 600 });
  assert.equal(code, 201, object.message);
  assert.equal(object.status.expirationTimestamp, '2026-01-01T00:10:00Z');
  const user = authenticate(object.status.token)!;
  assert.equal(user.name, 'system:serviceaccount:default:worker');
  assert.deepEqual(user.groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:default',
    'system:authenticated',
  ]);
  isRefused(object.status.token, 'vault');
  const forVault = (await request({ audiences: ['vault'] })).object.status.token;
  isRefused(forVault);
  assert.equal(authenticate(forVault, 'vault')!.name, user.name);
  await clock.advance(600_000);
  isRefused(object.status.token);
});

test('a lifetime out of bounds and an object that cannot be bound are refused', async () => {
  assert.match(
    (await request({ expirationSeconds: 599 })).object.message,
    /may not specify a duration less than 10 minutes/,
  );
  assert.match((await request({ expirationSeconds: 2 ** 33 })).object.message, /larger than 2\^32 seconds/);
  assert.equal((await request({ ...boundTo('nothing', '') })).code, 404);
  const { metadata } = await makePod('bindable');
  assert.equal((await request(boundTo('bindable', 'another'))).code, 409);
  assert.equal((await request(boundTo('bindable', metadata!.uid), admin, 'other')).code, 400);
  const map = { boundObjectRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'x' } };
  assert.equal((await request(map)).code, 400);
  assert.equal((await request({}, admin, 'nobody')).code, 404);
});

test('a token ends with the pod that it is bound to, and with its account', async () => {
  const { metadata } = await makePod('brief');
  const bound = (await request(boundTo('brief', metadata!.uid))).object.status.token;
  const user = authenticate(bound)!;
  assert.deepEqual(user.extra!['authentication.kubernetes.io/pod-name'], ['brief']);
  assert.deepEqual(user.extra!['authentication.kubernetes.io/node-name'], ['n1']);
  await send(admin, `DELETE ${inDefault}/pods/brief?gracePeriodSeconds=0`);
  isRefused(bound);

  await send(admin, `POST ${inDefault}/serviceaccounts`, { body: { metadata: { name: 'again' } } });
  const free = (await request({}, admin, 'again')).object.status.token;
  authenticate(free);
  await send(admin, `DELETE ${inDefault}/serviceaccounts/again`);
  isRefused(free);
  await send(admin, `POST ${inDefault}/serviceaccounts`, { body: { metadata: { name: 'again' } } });
  isRefused(free);
});

test('a node has tokens only for its own pods, bound to them', async () => {
  const mine = (await makePod('mine')).metadata!.uid;
  const theirs = (await makePod('theirs', { nodeName: 'n2' })).metadata!.uid;
  const n1 = running.server.transport(node('n1'));
  assert.equal((await request(boundTo('mine', mine), n1)).code, 201);
  const refused = async (spec: object, account = 'worker') => {
    const { code, object } = await request(spec, n1, account);
    assert.equal(code, 403);
    return object.message;
  };
  assert.match(await refused({}), /node requested token not bound to a pod/);
  assert.match(await refused(boundTo('mine', '')), /without a uid/);
  assert.match(await refused(boundTo('mine', 'x')), /a pod that is not there/);
  assert.match(await refused(boundTo('theirs', theirs)), /scheduled on a different node/);
  await refused(boundTo('mine', mine), 'other');
  await refused({ boundObjectRef: { apiVersion: 'v1', kind: 'Node', name: 'n1' } });
});

test('nobody else has a token of an account without being allowed to', async () => {
  const account = running.server.transport({
    name: 'system:serviceaccount:default:worker',
    groups: ['system:authenticated'],
  });
  assert.equal((await request({}, account)).code, 403);
  assert.equal(
    (await request({}, running.server.transport({ name: 'ann', groups: ['system:authenticated'] }))).code,
    403,
  );
});

test('a pod gets its token, the authority and its namespace at the known place', async () => {
  const { spec } = await makePod('mounted', {
    containers: [
      { name: 'a', image: 'a' },
      { name: 'b', image: 'b', volumeMounts: [{ name: 'own', mountPath }] },
    ],
    volumes: [{ name: 'own', emptyDir: {} }],
  });
  const volume = spec.volumes[1];
  assert.match(volume.name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(spec.containers[0].volumeMounts, [{ name: volume.name, readOnly: true, mountPath }]);
  assert.equal(spec.containers[1].volumeMounts.length, 1);
  assert.equal(volume.projected.sources[0].serviceAccountToken.expirationSeconds, 3607);
  const without = await makePod('unmounted', { automountServiceAccountToken: false });
  assert.equal(without.spec.volumes, undefined);
  await send(admin, `POST ${inDefault}/serviceaccounts`, {
    body: {
      metadata: { name: 'quiet' },
      automountServiceAccountToken: false,
      imagePullSecrets: [{ name: 'pull' }],
    },
  });
  const quiet = await makePod('quiet', { serviceAccountName: 'quiet' });
  assert.equal(quiet.spec.volumes, undefined);
  assert.deepEqual(quiet.spec.imagePullSecrets, [{ name: 'pull' }]);
});

test('a pod of an account that is not there is refused', async () => {
  const { code, object } = await send(admin, `POST ${inDefault}/pods`, {
    body: pod('lost', { serviceAccountName: 'ghost' }),
  });
  assert.equal(code, 403);
  assert.equal(
    object.message,
    'pods "lost" is forbidden: error looking up service account default/ghost: serviceaccount "ghost" not found',
  );
});

test('servers learn whose a token is, and who may do what', async () => {
  const { token } = (await request({ audiences: ['vault', 'mail'] })).object.status;
  const review = async (spec: object) =>
    (await send(admin, 'POST /apis/authentication.k8s.io/v1/tokenreviews', { body: { spec } })).object.status;
  assert.equal((await review({ token })).authenticated, undefined);
  const status = await review({ token, audiences: ['vault', 'bank'] });
  assert.deepEqual(status.audiences, ['vault']);
  assert.equal(status.user.username, 'system:serviceaccount:default:worker');
  assert.equal((await review({ token: 'a.b.c' })).error, 'invalid bearer token');

  const access = (spec: object, at = 'subjectaccessreviews') =>
    send(admin, `POST /apis/authorization.k8s.io/v1/${at}`, { body: { spec } });
  const resourceAttributes = { verb: 'list', resource: 'pods', namespace: 'default' };
  assert.equal((await access({ user: 'ann', resourceAttributes })).object.status.allowed, false);
  assert.equal(
    (await access({ groups: ['system:masters'], resourceAttributes })).object.status.allowed,
    true,
  );
  assert.match(
    (await access({ resourceAttributes })).object.message,
    /at least one of user or group must be specified/,
  );
  const local = 'namespaces/kube-system/localsubjectaccessreviews';
  assert.match(
    (await access({ user: 'ann', resourceAttributes }, local)).object.message,
    /must match metadata.namespace/,
  );
  assert.equal((await access({ user: 'ann', resourceAttributes }, 'localsubjectaccessreviews')).code, 404);
});

test('the keys are public to service accounts, and to nobody without a name', async () => {
  const account: User = {
    name: 'system:serviceaccount:default:worker',
    groups: ['system:serviceaccounts', 'system:authenticated'],
  };
  const get = (path: string, user: User) => send(running.server.transport(user), `GET ${path}`);
  const configuration = await get('/.well-known/openid-configuration', account);
  assert.equal(configuration.object.issuer, tokens.issuer);
  assert.deepEqual((await get('/openid/v1/jwks', account)).object, tokens.jwks());
  assert.equal((await get('/openid/v1/jwks', { name: 'ann', groups: ['system:authenticated'] })).code, 403);
});
