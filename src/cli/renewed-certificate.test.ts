import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { openAuthority } from '../identity/authority.ts';
import { renewedCertificate } from './renewed-certificate.ts';

const daySeconds = 24 * 3600;

test('a certificate stays for half of its life, is then issued anew, and listeners are told', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'renewed-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const clock = new FakeClock();
  const authority = openAuthority({ dir, clock });
  const terms = { commonName: 'server', usages: ['server' as const], lifetimeSeconds: 10 * daySeconds };
  const certificate = renewedCertificate({ authority, clock, terms });
  const first = certificate.current().certificatePem;
  const told: string[] = [];
  const stop = certificate.onRenewal(({ certificatePem }) => told.push(certificatePem));
  await clock.advance(4 * daySeconds * 1000);
  assert.equal(certificate.current().certificatePem, first);
  assert.deepEqual(told, []);
  await clock.advance(2 * daySeconds * 1000);
  assert.notEqual(certificate.current().certificatePem, first);
  assert.deepEqual(told, [certificate.current().certificatePem]);
  stop();
  await clock.advance(20 * daySeconds * 1000);
  assert.equal(told.length, 1);
});
