// What the conformance descriptions promise of CertificateSigningRequests.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { mergePatch, openWatch, send, take } from '../../src/apiserver/test-request.ts';
import { startTestServer, type TestServer } from '../../src/apiserver/test-server.ts';
import type { Transport } from '../../src/client/transport.ts';
import { missing } from '../shell.ts';

const group = '/apis/certificates.k8s.io';
const requests = `${group}/v1/certificatesigningrequests`;

let server: TestServer;
let api: Transport;
before(async () => {
  server = await startTestServer({ listens: false });
  api = server.server.transport();
});
after(() => server.close());

/** PEM of a request for a new key. */
function requestFor(commonName: string): string {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', '/dev/null'];
  return execFileSync('openssl', ['req', '-new', ...key, '-subj', `/CN=${commonName}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

test('a CertificateSigningRequest is found in discovery, made, read, listed, watched, patched, approved, signed and deleted', {
  skip: missing('openssl'),
}, async () => {
  const { object: groups } = await send(api, 'GET /apis');
  assert.ok(groups.groups.some(({ name }: { name: string }) => name === 'certificates.k8s.io'));
  assert.equal((await send(api, `GET ${group}`)).object.preferredVersion.version, 'v1');
  const { object: version } = await send(api, `GET ${group}/v1`);
  const names = version.resources.map(({ name }: { name: string }) => name);
  for (const name of ['', '/approval', '/status'])
    assert.ok(names.includes(`certificatesigningrequests${name}`), name);

  const { object: list } = await send(api, `GET ${requests}`);
  const stop = new AbortController();
  const from = `watch=1&resourceVersion=${list.metadata!.resourceVersion}`;
  const events = await openWatch(api, `GET ${requests}?${from}`, { signal: stop.signal });
  const made = await send(api, `POST ${requests}`, {
    body: {
      metadata: { generateName: 'e2e-example-', labels: { test: 'csr' } },
      spec: {
        request: Buffer.from(requestFor('e2e-example')).toString('base64'),
        signerName: 'example.com/e2e',
        expirationSeconds: 3600,
        usages: ['digital signature', 'key encipherment', 'server auth'],
      },
    },
  });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  const { name } = made.object.metadata!;
  const one = `${requests}/${name}`;

  assert.equal((await send(api, `GET ${one}`)).object.metadata!.uid, made.object.metadata!.uid);
  assert.equal((await send(api, `GET ${requests}?labelSelector=test%3Dcsr`)).object.items!.length, 1);
  const patched = await mergePatch(api, one, { metadata: { annotations: { patched: 'true' } } });
  assert.equal(patched.object.metadata!.annotations!.patched, 'true');
  assert.deepEqual(await take(events, 2), [`ADDED ${name}`, `MODIFIED ${name}`]);

  assert.equal((await send(api, `GET ${one}/approval`)).object.metadata!.uid, made.object.metadata!.uid);
  const approval = await send(api, `PUT ${one}/approval`, {
    body: {
      ...patched.object,
      status: { conditions: [{ type: 'Approved', status: 'True', reason: 'E2E', message: 'by a test' }] },
    },
  });
  assert.equal(approval.code, 200, JSON.stringify(approval.object));
  assert.equal(approval.object.status.conditions[0].type, 'Approved');

  assert.equal((await send(api, `GET ${one}/status`)).object.metadata!.uid, made.object.metadata!.uid);
  const certificate = server.issueClient('e2e-example').certificatePem;
  const signed = await mergePatch(api, `${one}/status`, {
    status: { certificate: Buffer.from(certificate).toString('base64') },
  });
  assert.equal(signed.code, 200, JSON.stringify(signed.object));
  const failed = { type: 'Failed', status: 'True', reason: 'E2E', message: 'set by a test' };
  const replaced = await send(api, `PUT ${one}/status`, {
    body: {
      ...signed.object,
      status: { ...signed.object.status, conditions: [...signed.object.status.conditions, failed] },
    },
  });
  assert.equal(replaced.code, 200, JSON.stringify(replaced.object));
  assert.deepEqual(
    replaced.object.status.conditions.map(({ type }: { type: string }) => type),
    ['Approved', 'Failed'],
  );

  assert.equal((await send(api, `DELETE ${one}`)).code, 200);
  assert.equal((await send(api, `GET ${one}`)).code, 404);
  assert.equal((await send(api, `DELETE ${requests}?labelSelector=test%3Dcsr`)).code, 200);
  stop.abort();
  await events.next();
});
