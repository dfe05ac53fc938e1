import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { until } from '../../base/until.ts';
import { openAuthority } from '../../identity/authority.ts';
import { temporaryFolder } from '../../oci/testing.ts';
import { registryFetch, socketsMax } from './registry-fetch.ts';

/** A server that says the name in the caller's certificate, and counts connections. */
async function setUp(t: TestContext) {
  const authority = openAuthority({ dir: await temporaryFolder(t) });
  const lifetimeSeconds = 3600;
  const serving = authority.issue({
    commonName: 'registry',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds,
  });
  const counts = { opened: 0, open: 0 };
  const server = createServer(
    { cert: serving.chainPem, key: serving.privateKeyPem, ca: authority.caPem, requestCert: true },
    (request, response) => {
      // Only HTTPS is served here.
      const { subject } = (request.socket as import('node:tls').TLSSocket).getPeerCertificate();
      setImmediate(() => response.end(subject.CN));
    },
  );
  server.on('secureConnection', (socket) => {
    counts.opened++;
    counts.open++;
    socket.once('close', () => counts.open--);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/v2/`;
  let name = 'n1';
  const credentials = new Map<string, { clientCertificatePem: string; clientKeyPem: string }>();
  for (const commonName of ['n1', 'n2']) {
    const issued = authority.issue({ commonName, usages: ['client'], lifetimeSeconds });
    credentials.set(commonName, {
      clientCertificatePem: issued.certificatePem,
      clientKeyPem: issued.privateKeyPem,
    });
  }
  const fetch = registryFetch({ caPem: authority.caPem, credentials: () => credentials.get(name)! });
  t.after(() => fetch.close());
  const ask = async () => {
    const { body } = await fetch(url, { method: 'GET', headers: {} });
    return text(body!);
  };
  return { ask, fetch, counts, use: (other: string) => (name = other) };
}

test('requests in a row share a connection, many at once a bounded number, until it is closed', async (t) => {
  const { ask, fetch, counts } = await setUp(t);
  for (let times = 0; times < 3; times++) assert.equal(await ask(), 'n1');
  assert.equal(counts.opened, 1);
  await Promise.all(Array.from({ length: 3 * socketsMax }, ask));
  assert.ok(counts.opened <= socketsMax + 1, `${counts.opened} connections`);
  fetch.close();
  await until('all are closed', () => counts.open === 0);
});

test('a renewed certificate is shown from the next request on', async (t) => {
  const { ask, use } = await setUp(t);
  assert.equal(await ask(), 'n1');
  use('n2');
  assert.equal(await ask(), 'n2');
});
