import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer as createPlainServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer } from 'node:tls';
import { isStatus } from '../base/errors.ts';
import { type Authority, openAuthority } from './authority.ts';
import { fetchPinnedCa } from './pinned-tls.ts';

function found(t: TestContext): Authority {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-identity-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return openAuthority({ dir });
}

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function serve(t: TestContext, keys: { key: string; cert: string }): Promise<number> {
  const server = createServer(keys);
  server.on('tlsClientError', () => {});
  return listen(t, server);
}

const terms = { commonName: 'server', usages: ['server' as const], lifetimeSeconds: 3600 };

test('the authority that the hash names is taken from the chain', async (t) => {
  const authority = found(t);
  const { privateKeyPem: key, chainPem: cert } = authority.issue(terms);
  const port = await serve(t, { key, cert });
  const caPem = await fetchPinnedCa({ host: '127.0.0.1', port, caHash: authority.caHash });
  assert.equal(caPem.trim(), authority.caPem.trim());
});

test('a server of another authority is refused, and both hashes are told', async (t) => {
  const [authority, other] = [found(t), found(t)];
  const { privateKeyPem: key, chainPem: cert } = other.issue(terms);
  const port = await serve(t, { key, cert });
  await assert.rejects(
    fetchPinnedCa({ host: '127.0.0.1', port, caHash: authority.caHash }),
    (error) =>
      isStatus(error, 'Unauthorized') &&
      error.message.includes(authority.caHash) &&
      error.message.includes(other.caHash),
  );
});

test('the right authority behind a certificate that it did not issue is refused', async (t) => {
  const [authority, other] = [found(t), found(t)];
  const { privateKeyPem: key, certificatePem } = other.issue(terms);
  const port = await serve(t, { key, cert: certificatePem + authority.caPem });
  await assert.rejects(fetchPinnedCa({ host: '127.0.0.1', port, caHash: authority.caHash }), (error) =>
    isStatus(error, 'Unauthorized'),
  );
});

test('a server that is absent, silent or hangs up is called unreachable', async (t) => {
  const hash = { host: '127.0.0.1', caHash: '0'.repeat(64), timeoutMs: 100 };
  const isUnreachable = (error: unknown) =>
    isStatus(error, 'ServiceUnavailable') &&
    /Cannot reach the control plane at 127\.0\.0\.1:/.test(error.message);
  const closed = createPlainServer();
  const port = await listen(t, closed);
  closed.close();
  await assert.rejects(fetchPinnedCa({ ...hash, port }), isUnreachable);
  const silent = await listen(
    t,
    createPlainServer((socket) => void socket.on('error', () => {}).resume()),
  );
  await assert.rejects(fetchPinnedCa({ ...hash, port: silent }), isUnreachable);
  const hangsUp = await listen(
    t,
    createPlainServer((socket) => void socket.destroy()),
  );
  await assert.rejects(fetchPinnedCa({ ...hash, port: hangsUp }), isUnreachable);
});
