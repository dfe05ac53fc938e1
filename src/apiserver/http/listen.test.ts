import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openAuthority } from '../../identity/authority.ts';
import { openServiceAccountTokens } from '../../identity/service-account-token.ts';
import { bodyBytesMax, depthMax } from '../body.ts';
import { configMap, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { tokenAuthenticator } from '../user.ts';
import { RequestLimits, requestsPerUserMax } from './limits.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const users: Record<string, { user: string; groups: string[] }> = {
  'join-secret': { user: 'system:bootstrap:selvage', groups: ['system:bootstrappers'] },
  'admin-secret': { user: 'ci', groups: ['system:masters'] },
};

let running: TestServer;
let admin: { cert: string; key: string };

const keyDir = mkdtempSync(join(tmpdir(), 'selvage-key-'));
const keyPath = join(keyDir, 'sa.key');

before(async () => {
  running = await startTestServer({
    authenticators: [tokenAuthenticator({ verify: (token) => users[token] })],
    serviceAccountTokens: openServiceAccountTokens({ keyPath }),
    extraHandlers: [
      (message, response, user) => {
        if (!message.url?.startsWith('/v2/')) return false;
        response.end(`hello ${user.name}`);
        return true;
      },
    ],
  });
  const { certificatePem, privateKeyPem } = running.issueClient('selvage-admin');
  admin = { cert: certificatePem, key: privateKeyPem };
});
after(async () => {
  await running.close();
  rmSync(keyDir, { recursive: true });
});

interface Answer {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind.
  json(): any;
}

function fetch(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; as?: object } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, as = admin } = options;
    const to = { host: '127.0.0.1', port: running.port, path, method, headers, agent: false as const };
    const sent = request({ ...to, ca: running.authority.caPem, ...as }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString('latin1');
      const { headers: received, statusCode } = response;
      resolve({ code: statusCode!, headers: received, text, json: () => JSON.parse(text) });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const nobody = {};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const basic = (token: string) => ({
  authorization: `Basic ${Buffer.from(`any:${token}`).toString('base64')}`,
});
const jsonType = { 'content-type': 'application/json' };

test('nobody in particular learns that the server lives, and nothing else', async () => {
  for (const path of ['/livez', '/readyz', '/healthz', '/version']) {
    assert.equal((await fetch(path, { as: nobody })).code, 200, path);
  }
  for (const path of ['/api', '/metrics', maps, '/openapi/v3']) {
    const answer = await fetch(path, { as: nobody });
    assert.equal(answer.code, 403, path);
    assert.equal(answer.json().reason, 'Forbidden');
    assert.match(answer.json().message, /User "system:anonymous" cannot/);
  }
});

test('a client certificate, a bearer token and a Basic password each say who one is', async () => {
  const review = (headers: Record<string, string>, as: object) =>
    fetch('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      method: 'POST',
      headers: { ...jsonType, ...headers },
      body: '{}',
      as,
    });
  const byCertificate = (await review({}, admin)).json();
  assert.equal(byCertificate.status.userInfo.username, 'selvage-admin');
  assert.deepEqual(byCertificate.status.userInfo.groups, ['system:masters', 'system:authenticated']);
  assert.equal((await review(bearer('admin-secret'), nobody)).json().status.userInfo.username, 'ci');
  assert.equal((await review(basic('admin-secret'), nobody)).json().status.userInfo.username, 'ci');
});

test('the token of a service account says which one it is; an altered one says nothing', async () => {
  const tokens = openServiceAccountTokens({ keyPath });
  const made = await send(running.server.transport(), 'POST /api/v1/namespaces/default/serviceaccounts', {
    body: { metadata: { name: 'worker' } },
  });
  const serviceAccount = { name: 'worker', uid: made.object.metadata!.uid! };
  const { token } = tokens.issue({ namespace: 'default', serviceAccount, lifetimeSeconds: 600 });
  const refused = await fetch(maps, { headers: bearer(token), as: nobody });
  assert.equal(refused.code, 403);
  assert.match(refused.json().message, /User "system:serviceaccount:default:worker" cannot list/);
  const altered = `${token.slice(0, -4)}AAAA`;
  assert.equal((await fetch(maps, { headers: bearer(altered), as: nobody })).code, 401);
});

test('a request is made as another user only where its sender may impersonate each part of it', async () => {
  const whoami = async (headers: Record<string, string>, as: object = admin) => {
    const to = {
      method: 'POST',
      headers: { ...jsonType, ...headers } as Record<string, string>,
      body: '{}',
      as,
    };
    return fetch('/apis/authentication.k8s.io/v1/selfsubjectreviews', to);
  };
  const asBob = { 'impersonate-user': 'bob', 'impersonate-group': 'dev', 'impersonate-extra-scopes': 'view' };
  assert.deepEqual((await whoami(asBob)).json().status.userInfo, {
    username: 'bob',
    groups: ['dev', 'system:authenticated'],
    extra: { scopes: ['view'] },
  });
  const asRobot = { 'impersonate-user': 'system:serviceaccount:default:robot' };
  assert.deepEqual((await whoami(asRobot)).json().status.userInfo.groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:default',
    'system:authenticated',
  ]);
  assert.equal((await fetch(maps, { headers: asBob })).code, 403);
  assert.equal((await whoami({ 'impersonate-group': 'system:masters' })).code, 400);
  assert.match((await fetch('/v2/', { headers: asBob })).text, /hello bob/);

  const { certificatePem, privateKeyPem } = running.issueClient('ann', ['team']);
  const ann = { cert: certificatePem, key: privateKeyPem };
  const refused = await whoami({ 'impersonate-user': 'bob' }, ann);
  assert.equal(refused.code, 403);
  assert.equal(
    refused.json().message,
    'users "bob" is forbidden: User "ann" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const rules = [{ apiGroups: [''], resources: ['users'], verbs: ['impersonate'], resourceNames: ['bob'] }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'as-bob' };
  const transport = running.server.transport();
  await send(transport, `POST ${rbac}/clusterroles`, { body: { metadata: { name: 'as-bob' }, rules } });
  const subjects = [{ kind: 'User', name: 'ann' }];
  const body = { metadata: { name: 'as-bob' }, roleRef, subjects };
  await send(transport, `POST ${rbac}/clusterrolebindings`, { body });
  assert.equal((await whoami({ 'impersonate-user': 'bob' }, ann)).json().status.userInfo.username, 'bob');
  const tooMuch: Record<string, string>[] = [
    { 'impersonate-user': 'root' },
    { 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' },
    { 'impersonate-user': 'bob', 'impersonate-uid': '1' },
    { 'impersonate-user': 'bob', 'impersonate-extra-scopes': 'all' },
    asRobot,
  ];
  for (const more of tooMuch) {
    assert.equal((await whoami(more, ann)).code, 403, JSON.stringify(more));
  }
});

test('what is asked of the server is counted', async () => {
  await fetch(`${maps}/no-such-map`);
  const { text } = await fetch('/metrics');
  assert.match(
    text,
    /^apiserver_request_total\{verb="GET",dry_run="",group="",version="v1",resource="configmaps",subresource="",scope="resource",component="apiserver",code="404"\} \d+$/m,
  );
  assert.match(text, /^apiserver_storage_objects\{resource="namespaces"\} [4-9]$/m);
  assert.match(text, /^apiserver_current_inflight_requests\{request_kind="readOnly"\} 1$/m);
  assert.match(text, /^apiserver_request_duration_seconds_bucket\{verb="GET",[^}]*le="\+Inf"\} \d+$/m);
});

test('a wrong token and a certificate of another authority are refused', async () => {
  assert.equal((await fetch(maps, { headers: bearer('wrong'), as: nobody })).code, 401);
  const other = openAuthority({ dir: `${running.dir}/other` });
  const issued = other.issue({
    commonName: 'selvage-admin',
    organizations: ['system:masters'],
    usages: ['client'],
    lifetimeSeconds: 3600,
  });
  const answer = await fetch(maps, { as: { cert: issued.certificatePem, key: issued.privateKeyPem } });
  assert.equal(answer.code, 401);
});

test('a user without rights is told what was refused, in Kubernetes words', async () => {
  const answer = await fetch(maps, { headers: bearer('join-secret'), as: nobody });
  assert.equal(answer.code, 403);
  assert.equal(
    answer.json().message,
    'configmaps is forbidden: User "system:bootstrap:selvage" cannot list resource "configmaps" in API group "" ' +
      'in the namespace "default"',
  );
});

test('an extra handler gets authenticated users only, and is asked for with Basic', async () => {
  assert.equal((await fetch('/v2/', { headers: basic('admin-secret'), as: nobody })).text, 'hello ci');
  for (const headers of [{}, basic('wrong')]) {
    const refused = await fetch('/v2/', { headers, as: nobody });
    assert.equal(refused.code, 401);
    assert.equal(refused.headers['www-authenticate'], 'Basic realm="selvage"');
  }
});

test('YAML is taken, and given where asked for', async () => {
  const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: "1"}\n';
  const created = await fetch(maps, {
    method: 'POST',
    headers: { 'content-type': 'application/yaml' },
    body,
  });
  assert.equal(created.code, 201);
  const read = await fetch(`${maps}/from-yaml`, { headers: { accept: 'application/yaml' } });
  assert.match(read.text, /^ {2}name: from-yaml$/m);
});

test('a body that is no JSON, of a strange type, too deep or too large is refused in Status form', async () => {
  const post = (body: string, headers: Record<string, string> = jsonType) =>
    fetch(maps, { method: 'POST', headers, body });
  const broken = await post('{"kind":');
  assert.equal(broken.code, 400);
  assert.match(broken.json().message, /json parse error/);
  assert.equal((await post('x', { 'content-type': 'text/plain' })).code, 415);
  assert.equal((await post('a: [', { 'content-type': 'application/yaml' })).code, 400);
  assert.equal(
    (await post('k8s\0\xff\xff', { 'content-type': 'application/vnd.kubernetes.protobuf' })).code,
    400,
  );
  const deep = await post(`${'{"a":'.repeat(depthMax + 2)}1${'}'.repeat(depthMax + 2)}`);
  assert.equal(deep.code, 400);
  const large = await post(JSON.stringify({ a: 'x'.repeat(bodyBytesMax) }));
  assert.equal(large.code, 413);
  assert.equal(large.json().reason, 'RequestEntityTooLarge');
  assert.equal((await fetch('/livez')).text, 'ok');
});

test('a body that grows too large without saying so is cut off', async () => {
  const answer = await new Promise<number>((resolve, reject) => {
    const to = { host: '127.0.0.1', port: running.port, path: maps, method: 'POST', headers: jsonType };
    const sent = request({ ...to, ...admin, ca: running.authority.caPem, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on('error', reject);
    const chunk = Buffer.alloc(256 * 1024, 'x');
    for (let bytes = 0; bytes <= bodyBytesMax; bytes += chunk.length) sent.write(chunk);
  });
  assert.equal(answer, 413);
});

test('a member that occurs twice is an error for a strict client', async () => {
  const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
  const strict = await fetch(`${maps}?fieldValidation=Strict`, { method: 'POST', headers: jsonType, body });
  assert.equal(strict.code, 400);
  assert.match(strict.json().message, /duplicate field "data.a"/);
});

test('a large answer is compressed for those who can read that', async () => {
  const body = JSON.stringify(configMap('large', { data: { text: 'x'.repeat(200_000) } }));
  await fetch(maps, { method: 'POST', headers: jsonType, body });
  const packed = await fetch(`${maps}/large`, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(packed.text.length < 10_000);
  assert.equal((await fetch(`${maps}/large`)).headers['content-encoding'], undefined);
});

test('a long list arrives whole', async () => {
  const transport = running.server.transport();
  await send(transport, 'POST /api/v1/namespaces', { body: { metadata: { name: 'long' } } });
  const path = '/api/v1/namespaces/long/configmaps';
  const names = Array.from({ length: 450 }, (_, index) => `m-${String(index).padStart(3, '0')}`);
  await Promise.all(names.map((name) => send(transport, `POST ${path}`, { body: configMap(name) })));
  const list = (await fetch(path)).json();
  assert.deepEqual(
    list.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
    names,
  );
  assert.equal(list.kind, 'ConfigMapList');
});

test('a watch streams over HTTPS and ends when the server closes', async () => {
  const own = await startTestServer();
  const { certificatePem: cert, privateKeyPem: key } = own.issueClient('selvage-admin');
  const to = {
    host: '127.0.0.1',
    port: own.port,
    path: `${maps}?watch=true`,
    cert,
    key,
    ca: own.authority.caPem,
  };
  const lines: string[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    const sent = request({ ...to, agent: false }, async (response) => {
      for await (const chunk of response) {
        lines.push(...String(chunk).trim().split('\n'));
        if (lines.length === 1) own.close().catch(reject);
      }
      resolve();
    });
    sent.on('error', reject);
    sent.on('response', () => send(own.server.transport(), `POST ${maps}`, { body: configMap('seen') }));
    sent.end();
  });
  await ended;
  const event = JSON.parse(lines[0]!);
  assert.equal(event.type, 'ADDED');
  assert.equal(event.object.metadata.name, 'seen');
});

test('a strange path gets an answer in the 400s', async () => {
  const strange = [
    '//',
    '//evil.example/api',
    '/%',
    '/%zz',
    '/api/v1/namespaces//pods/x',

    `${maps}/a%2Fb`,
  ];
  for (const path of [
    ...strange,
    '/apis//v1',
    '/api/v1/pods/x/y/z',
    '/api/v2/pods',
    '/apis/apps/v1/nonsense',
    '/?x=%',
  ]) {
    const { code } = await fetch(path);
    assert.ok(
      path === '//' || path === '/?x=%' ? code === 200 : code >= 400 && code < 500,
      `${path} answered ${code}`,
    );
  }
});

test('bytes that are no TLS do not disturb the server', async () => {
  await new Promise<void>((resolve) => {
    const socket = connect(running.port, '127.0.0.1', () => socket.end('GET / HTTP/1.1\r\n\r\n'));
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
    socket.resume();
  });
  assert.equal((await fetch('/livez')).text, 'ok');
});

test('one user cannot have more than so many requests under way', () => {
  const limits = new RequestLimits();
  const user = { name: 'busy', groups: [] };
  const ends = Array.from({ length: requestsPerUserMax }, () => limits.begin(user, 'request'));
  assert.throws(() => limits.begin(user, 'request'), { reason: 'TooManyRequests', code: 429 });
  limits.begin(user, 'stream');
  limits.begin({ name: 'other', groups: [] }, 'request');
  ends[0]!();
  limits.begin(user, 'request');
});
