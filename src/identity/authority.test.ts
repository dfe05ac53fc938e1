import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { FakeClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { openAuthority } from './authority.ts';
import { readCertificateNames } from './certificate.ts';
import { createRequest } from './csr.ts';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-identity-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const names = {
  commonName: 'system:node:edge-a',
  organizations: ['system:nodes', 'Müller & Söhne'],
  dnsNames: ['edge-a', 'edge-a.local'],
  ipAddresses: ['127.0.0.1', '2001:db8::1:0:5', '::1', '::ffff:10.0.0.1'],
  uris: ['spiffe://cluster.local/node/edge-a'],
};
const day = 24 * 3600;

test('what was issued carries all its names and its times, tolerant of clocks that are behind', (t) => {
  const clock = new FakeClock();
  const authority = openAuthority({ dir: temporaryFolder(t), clock });
  const issued = authority.issue({ ...names, usages: ['client', 'server'], lifetimeSeconds: day });
  const certificate = new X509Certificate(issued.certificatePem);
  assert.deepEqual(readCertificateNames(issued.certificatePem), {
    ...names,
    ipAddresses: ['127.0.0.1', '2001:db8::1:0:5', '::1', '::ffff:a00:1'],
  });
  assert.equal(certificate.validFromDate.getTime(), clock.nowMs() - 3600_000);
  assert.equal(certificate.validToDate.getTime(), clock.nowMs() + day * 1000);
  assert.ok(certificate.verify(new X509Certificate(authority.caPem).publicKey));
  assert.ok(certificate.checkIssued(new X509Certificate(authority.caPem)));
  assert.equal(certificate.ca, false);
  assert.match(certificate.serialNumber, /^[4-7][0-9A-F]{31}$/);
  const other = new X509Certificate(
    authority.issue({ ...names, usages: ['client'], lifetimeSeconds: day }).certificatePem,
  );
  assert.notEqual(other.serialNumber, certificate.serialNumber);
});

test('a reopened authority is the same, and its key is for its owner only', (t) => {
  const dir = temporaryFolder(t);
  const first = openAuthority({ dir });
  const second = openAuthority({ dir });
  assert.equal(second.caPem, first.caPem);
  assert.equal(
    first.caHash,
    new X509Certificate(first.caPem).fingerprint256.replaceAll(':', '').toLowerCase(),
  );
  assert.equal(statSync(join(dir, 'ca.key')).mode & 0o777, 0o600);
  assert.equal(readCertificateNames(first.caPem).uris[0], 'spiffe://cluster.local');
});

test('a lost, foreign or damaged authority key is named with what to do', (t) => {
  const dir = temporaryFolder(t);
  const other = temporaryFolder(t);
  openAuthority({ dir });
  openAuthority({ dir: other });
  writeFileSync(join(dir, 'ca.key'), readFileSync(join(other, 'ca.key')));
  assert.throws(() => openAuthority({ dir }), /do not belong together/);
  writeFileSync(join(dir, 'ca.key'), 'garbage');
  assert.throws(() => openAuthority({ dir }), /ca\.key cannot be read.*backup/);
  rmSync(join(dir, 'ca.key'));
  assert.throws(() => openAuthority({ dir }), /ca\.key is missing/);
});

test('a signed request gets the names that the signer decided, not those it asked for', (t) => {
  const authority = openAuthority({ dir: temporaryFolder(t) });
  const { csrPem, privateKeyPem } = createRequest({ commonName: 'root', organizations: ['system:masters'] });
  const { certificatePem } = authority.sign(csrPem, {
    commonName: 'bob',
    usages: ['client'],
    lifetimeSeconds: day,
  });
  assert.equal(readCertificateNames(certificatePem).commonName, 'bob');
  assert.deepEqual(readCertificateNames(certificatePem).organizations, []);
  assert.match(privateKeyPem, /BEGIN PRIVATE KEY/);
});

test('an expired authority refuses to issue, and a certificate never outlives its authority', async (t) => {
  const clock = new FakeClock();
  const authority = openAuthority({ dir: temporaryFolder(t), clock });
  const caEnds = new X509Certificate(authority.caPem).validToDate.getTime();
  const long = authority.issue({ commonName: 'a', usages: ['client'], lifetimeSeconds: 20 * 365 * day });
  assert.equal(new X509Certificate(long.certificatePem).validToDate.getTime(), caEnds);
  await clock.advance(11 * 365 * day * 1000);
  assert.throws(
    () => authority.issue({ commonName: 'a', usages: ['client'], lifetimeSeconds: day }),
    (error) => isStatus(error, 'InternalError') && /expired.*Check the clock/.test(error.message),
  );
});

test('openssl verifies the chain, the purpose and the request', (t) => {
  if (spawnSync('openssl', ['version']).status !== 0) {
    assert.ok(!process.env.CI, 'openssl is missing, and CI must have it');
    return t.skip('openssl is not on PATH');
  }
  const dir = temporaryFolder(t);
  const authority = openAuthority({ dir });
  const { certificatePem } = authority.issue({ ...names, usages: ['server'], lifetimeSeconds: day });
  const file = (name: string, content: string) => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const leaf = file('leaf.pem', certificatePem);
  const verify = (purpose: string) =>
    spawnSync('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      purpose,
      '-CAfile',
      join(dir, 'ca.crt'),
      leaf,
    ]);
  assert.equal(verify('sslserver').stdout.toString(), `${leaf}: OK\n`);
  assert.notEqual(verify('sslclient').status, 0);
  const csr = file('request.pem', createRequest(names).csrPem);
  const text = execFileSync('openssl', ['req', '-in', csr, '-verify', '-noout', '-text'], {
    stdio: 'pipe',
  }).toString();
  assert.match(text, /URI:spiffe:\/\/cluster\.local\/node\/edge-a/);
  assert.match(text, /CN\s?=\s?system:node:edge-a/);
});

async function handshake(
  server: { key: string; cert: string; ca: string },
  client: { key: string; cert: string; ca: string },
): Promise<{ commonName: string }> {
  const listener = createServer({
    ...server,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  });
  listener.on('tlsClientError', () => {});
  listener.on('secureConnection', (socket: TLSSocket) => {
    const { commonName } = readCertificateNames(socket.getPeerX509Certificate()!.raw);
    socket.on('error', () => {});
    socket.end(commonName);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', ...client });
  try {
    const closed = once(socket, 'close').then(() => assert.fail('the connection was closed'));
    const [commonName] = await Promise.race([once(socket, 'data'), closed]);
    return { commonName: String(commonName) };
  } finally {
    socket.destroy();
    listener.close();
  }
}

test('a TLS pair with issued certificates trusts one another; another authority and an expired one do not pass', async (t) => {
  const ours = openAuthority({ dir: temporaryFolder(t) });
  const theirs = openAuthority({ dir: temporaryFolder(t) });
  const past = new FakeClock(Date.now() - 10 * day * 1000);
  const expired = openAuthority({ dir: temporaryFolder(t), clock: past });
  const pair = (authority: typeof ours, usages: ('client' | 'server')[]) => {
    const terms = { usages, lifetimeSeconds: day };
    const issued = authority.issue({ commonName: `of ${usages}`, ipAddresses: ['127.0.0.1'], ...terms });
    return { key: issued.privateKeyPem, cert: issued.chainPem, ca: authority.caPem };
  };
  const server = pair(ours, ['server']);
  assert.deepEqual(await handshake(server, pair(ours, ['client'])), { commonName: 'of client' });
  await assert.rejects(handshake(server, { ...pair(theirs, ['client']), ca: ours.caPem }));
  await assert.rejects(handshake(server, pair(theirs, ['client'])), /self-signed|unable to verify|issuer/);
  await assert.rejects(handshake(server, pair(ours, ['server'])));
  await assert.rejects(handshake(pair(expired, ['server']), pair(expired, ['client'])), {
    code: 'CERT_HAS_EXPIRED',
  });
});
