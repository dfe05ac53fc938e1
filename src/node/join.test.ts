import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { node as nodeKind } from '../api/kinds/node.ts';
import { startTestServer, type TestServer } from '../apiserver/test-server.ts';
import { tokenAuthenticator } from '../apiserver/user.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { createClient } from '../client/create-client.ts';
import { readCertificateNames } from '../identity/certificate.ts';
import { formatJoinToken } from '../identity/join-token.ts';
import { joinCluster } from './join.ts';
import { signCertificates } from './testing-cluster.ts';

const secret = 'a-secret-of-at-least-twenty-letters';

async function cluster(t: TestContext): Promise<{ server: TestServer; token: string; url: string }> {
  const user = { user: 'system:bootstrap:selvage', groups: ['system:bootstrappers'] };
  const verify = (text: string) => (text === secret ? user : undefined);
  const server = await startTestServer({ authenticators: [tokenAuthenticator({ verify })] });
  t.after(() => server.close());
  signCertificates(t, createClient(server.server.transport()), server.authority);
  const token = formatJoinToken({ caHash: server.authority.caHash, secret });
  return { server, token, url: `https://127.0.0.1:${server.port}` };
}

function machine(t: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'selvage-join-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

const common = { nodeName: 'edge-1', clock: systemClock, log: silentLog };

test('a machine with the token becomes a node, and stays one without it', async (t) => {
  const { token, url } = await cluster(t);
  const dataDir = machine(t);
  const joined = await joinCluster({ ...common, server: url, token, dataDir });
  const created = await joined.client.create(nodeKind, { metadata: { name: 'edge-1' }, spec: {} } as never);
  assert.equal(created.metadata!.name, 'edge-1');
  const names = readCertificateNames(joined.certificate().certificatePem);
  assert.equal(names.commonName, 'system:node:edge-1');
  assert.deepEqual(names.organizations, ['system:nodes']);
  await joined.stop();
  assert.equal(statSync(join(dataDir, 'pki', 'node.pem')).mode & 0o777, 0o600);
  const before = readFileSync(join(dataDir, 'pki', 'node.pem'), 'utf8');

  const again = await joinCluster({ ...common, server: url, dataDir });
  t.after(() => again.stop());
  await again.client.get(nodeKind, { name: 'edge-1' });
  assert.equal(readFileSync(join(dataDir, 'pki', 'node.pem'), 'utf8'), before, 'the key is the same');
});

test('a node that has joined starts while no server answers', async (t) => {
  const { token, url, server } = await cluster(t);
  const dataDir = machine(t);
  await (await joinCluster({ ...common, server: url, token, dataDir })).stop();
  await server.close();
  const joined = await joinCluster({ ...common, server: url, dataDir });
  t.after(() => joined.stop());
  await assert.rejects(joined.client.get(nodeKind, { name: 'edge-1' }), { reason: 'ServiceUnavailable' });
});

test('a server that has another authority than the token names gets no secret', async (t) => {
  const { url } = await cluster(t);
  const token = formatJoinToken({ caHash: 'ab'.repeat(32), secret });
  const joining = joinCluster({ ...common, server: url, token, dataDir: machine(t) });
  await assert.rejects(joining, { reason: 'Unauthorized', message: /does not have the authority/ });
});

test('a wrong secret and a missing token are refused in words', async (t) => {
  const { url, server } = await cluster(t);
  const token = formatJoinToken({ caHash: server.authority.caHash, secret: 'x'.repeat(30) });
  const dataDir = machine(t);
  await assert.rejects(joinCluster({ ...common, server: url, token, dataDir }), { reason: 'Unauthorized' });
  const without = joinCluster({ ...common, server: url, dataDir: machine(t) });
  await assert.rejects(without, /has not joined a cluster yet: pass --token/);
});

test('joining waits for a server that is not there yet, until it is told to stop', async (t) => {
  const { server } = await cluster(t);
  const token = formatJoinToken({ caHash: server.authority.caHash, secret });
  const stop = new AbortController();
  const nowhere = 'https://127.0.0.1:1';
  const joining = joinCluster({
    ...common,
    server: nowhere,
    token,
    dataDir: machine(t),
    signal: stop.signal,
    log: {
      ...silentLog,
      warn: () => stop.abort(new Error('told to stop')),
    },
  });
  await assert.rejects(joining, /told to stop/);
});

test('a name whose node is Ready is refused to a second machine, and given to it when that one is silent', async (t) => {
  const { token, url, server } = await cluster(t);
  const admin = createClient(server.server.transport());
  const say = (status: string) =>
    admin.patch(
      nodeKind,
      { name: 'edge-1' },
      { type: 'merge', body: { status: { conditions: [{ type: 'Ready', status }] } } },
      { subresource: 'status' },
    );
  await admin.create(nodeKind, { metadata: { name: 'edge-1' }, spec: {} } as never);
  await say('True');
  const dataDir = machine(t);
  const second = joinCluster({ ...common, server: url, token, dataDir });
  await assert.rejects(second, {
    reason: 'Conflict',
    message: /has a node "edge-1" already.*another --name/,
  });
  await say('Unknown');
  await (await joinCluster({ ...common, server: url, token, dataDir })).stop();
});

test('a data folder keeps its name', async (t) => {
  const { token, url } = await cluster(t);
  const dataDir = machine(t);
  await (await joinCluster({ ...common, server: url, token, dataDir })).stop();
  const renamed = joinCluster({ ...common, nodeName: 'edge-2', server: url, token, dataDir });
  await assert.rejects(renamed, {
    reason: 'Conflict',
    message: /is that of node "edge-1": start it with --name/,
  });
});
