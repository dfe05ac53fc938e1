import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { openAuthority } from '../../identity/authority.ts';
import { certificateFile } from './certificate-file.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import type { HeldCertificate } from './request-certificate.ts';
import { renewAtMs, validityOf } from './validity.ts';

const hour = 3_600_000;
const day = 24 * hour;

function keeperOf(t: TestContext, options: { saved?: HeldCertificate; fails?: () => boolean } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-pki-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const clock = new FakeClock();
  const authority = openAuthority({ dir, clock });
  const issue = () =>
    authority.issue({ commonName: 'n1', usages: ['client'], lifetimeSeconds: (90 * day) / 1000 });
  const file = certificateFile(join(dir, 'node.pem'));
  const seen: HeldCertificate[] = [];
  let requests = 0;
  const keeper = new CertificateKeeper({
    name: 'test',
    clock,
    log: silentLog,
    load: file.load,
    save: file.save,
    request: async () => {
      requests++;
      if (options.fails?.()) throw new Error('the API server is away');
      return issue();
    },
    onCertificate: (held) => seen.push(held),
  });
  t.after(() => keeper.stop());
  return { keeper, clock, seen, file, issue, path: join(dir, 'node.pem'), requests: () => requests };
}

test('a certificate is asked for, kept readable by its owner only, and used again by the next run', async (t) => {
  const { keeper, clock, seen, file, path } = keeperOf(t);
  keeper.start();
  await clock.advance(0);
  assert.equal(seen.length, 1);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(file.load()!.certificatePem.trim(), seen[0]!.certificatePem.trim());
  assert.match(file.load()!.privateKeyPem, /^-----BEGIN PRIVATE KEY-----[\s\S]+-----END PRIVATE KEY-----\n$/);
});

test('a saved certificate is used without asking', async (t) => {
  const { keeper, clock, seen, file, issue, requests } = keeperOf(t);
  file.save(issue());
  keeper.start();
  await clock.advance(day);
  assert.deepEqual([seen.length, requests()], [1, 0]);
});

test('a certificate is renewed at two thirds of its life, even beyond what a timer can hold', async (t) => {
  const { keeper, clock, seen } = keeperOf(t);
  keeper.start();
  await clock.advance(0);
  const dueMs = renewAtMs(validityOf(seen[0]!.certificatePem));
  await clock.advance(dueMs - clock.nowMs() - hour);
  assert.equal(seen.length, 1);
  await clock.advance(2 * hour);
  assert.equal(seen.length, 2);
});

test('a failed renewal keeps the certificate in use, even an expired one, and is tried again', async (t) => {
  let isAway = false;
  const { keeper, clock, seen, requests } = keeperOf(t, { fails: () => isAway });
  keeper.start();
  await clock.advance(0);
  isAway = true;
  await clock.advance(80 * day);
  assert.ok(requests() > 10, 'it keeps trying');
  assert.equal(keeper.current, seen[0]);
  await clock.advance(20 * day);
  assert.equal(keeper.current, seen[0], 'expired by the clock, and still better than none');
  isAway = false;
  await clock.advance(hour);
  assert.equal(seen.length, 2);
});
