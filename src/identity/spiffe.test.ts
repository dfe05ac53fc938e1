import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuthority } from './authority.ts';
import { checkSpiffePeer, formatSpiffeId, parseSpiffeId, spiffeIdsOf } from './spiffe.ts';

test('workload and node ids are written and read; other forms are not ids', () => {
  const workload = {
    kind: 'workload',
    trustDomain: 'cluster.local',
    namespace: 'shop',
    serviceAccount: 'web',
  } as const;
  const node = { kind: 'node', trustDomain: 'cluster.local', node: 'edge-a' } as const;
  assert.equal(formatSpiffeId(workload), 'spiffe://cluster.local/ns/shop/sa/web');
  assert.equal(formatSpiffeId(node), 'spiffe://cluster.local/node/edge-a');
  for (const id of [workload, node]) assert.deepEqual(parseSpiffeId(formatSpiffeId(id)), id);
  for (const text of [
    'https://cluster.local/ns/a/sa/b',
    'spiffe://cluster.local/ns/a/sa/b/c',
    'spiffe://cluster.local/ns/a/sa/',
    'spiffe://cluster.local/ns/a/sa/b?x',
    'spiffe:///ns/a/sa/b',
    'spiffe://cluster.local/node/a/b',
  ]) {
    assert.equal(parseSpiffeId(text), undefined, text);
  }
  assert.throws(() => formatSpiffeId({ ...workload, namespace: 'a/sa/b' }), /not a valid SPIFFE id/);
});

test('a peer passes with an expected id alone; with another, none or two it is told why not', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-identity-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const authority = openAuthority({ dir });
  const [web, db] = ['web', 'db'].map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`) as [
    string,
    string,
  ];
  const certificate = (...uris: string[]) =>
    authority.issue({ commonName: 'a', uris, usages: ['server'], lifetimeSeconds: 60 }).certificatePem;
  const ofWeb = new X509Certificate(certificate(web, 'https://not-an-id'));
  assert.deepEqual(spiffeIdsOf(ofWeb), [web]);
  assert.equal(checkSpiffePeer(ofWeb, [db, web]), undefined);
  assert.equal(checkSpiffePeer(ofWeb.raw, [web]), undefined);
  assert.match(checkSpiffePeer(ofWeb, [db])!.message, /presented .*\/web; expected .*\/db/);
  assert.match(checkSpiffePeer(ofWeb, [])!.message, /no peer at all/);
  assert.match(checkSpiffePeer(certificate(), [web])!.message, /no SPIFFE id/);
  assert.ok(checkSpiffePeer(certificate(web, db), [web]));
});
