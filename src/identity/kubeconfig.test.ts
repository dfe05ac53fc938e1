import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { readKubeconfig, writeKubeconfig } from './kubeconfig.ts';

function kubeconfigPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-kubeconfig-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'new', 'kubeconfig');
}

const connection = {
  server: 'https://127.0.0.1:6443',
  caPem: '-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n',
  clientCertificatePem: 'certificate\n',
  clientKeyPem: 'key\n',
};

test('what was written reads back the same, for its owner only', async (t) => {
  const path = kubeconfigPath(t);
  await writeKubeconfig(path, connection);
  assert.deepEqual(await readKubeconfig(path), connection);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const withToken = { server: 'https://a:1', token: 'secret', namespace: 'shop' };
  await writeKubeconfig(path, withToken);
  assert.deepEqual(await readKubeconfig(path), withToken);
});

test('the file is YAML that means the same to any other reader', async (t) => {
  const path = kubeconfigPath(t);
  await writeKubeconfig(path, connection);
  assert.deepEqual(parse(readFileSync(path, 'utf8')), {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'selvage',
        cluster: { server: connection.server, 'certificate-authority-data': btoa(connection.caPem) },
      },
    ],
    users: [
      {
        name: 'selvage',
        user: {
          'client-certificate-data': btoa(connection.clientCertificatePem),
          'client-key-data': btoa(connection.clientKeyPem),
        },
      },
    ],
    contexts: [{ name: 'selvage', context: { cluster: 'selvage', user: 'selvage' } }],
    'current-context': 'selvage',
  });
});

test('other clusters, users, contexts and comments in the file are kept', async (t) => {
  const path = kubeconfigPath(t);
  await writeKubeconfig(path, connection, 'other');
  writeFileSync(path, `# mine\n${readFileSync(path, 'utf8')}preferences: {}\n`);
  await writeKubeconfig(path, { server: 'https://b:2', token: 't1' });
  await writeKubeconfig(path, { server: 'https://b:2', token: 't2' });
  assert.deepEqual(await readKubeconfig(path), { server: 'https://b:2', token: 't2' });
  const text = readFileSync(path, 'utf8');
  assert.match(text, /^# mine\n/);
  const config = parse(text);
  assert.deepEqual(
    config.contexts.map(({ name }: { name: string }) => name),
    ['other', 'selvage'],
  );
  writeFileSync(path, text.replace(/^current-context: .*$/m, 'current-context: other'));
  assert.deepEqual(await readKubeconfig(path), connection);
});

test('whoever writes hears which other cluster had the name', async (t) => {
  const path = kubeconfigPath(t);
  const other = { ...connection, server: 'https://127.0.0.1:7443', caPem: 'another' };
  assert.equal(await writeKubeconfig(path, connection), undefined);
  assert.equal(await writeKubeconfig(path, { ...connection, server: 'https://127.0.0.1:6444' }), undefined);
  assert.equal(await writeKubeconfig(path, other), 'https://127.0.0.1:6444');
  assert.equal(await writeKubeconfig(path, connection, 'mine'), undefined);
  assert.equal(await writeKubeconfig(path, other), undefined);
  assert.equal(await writeKubeconfig(path, connection), other.server);
});

test('files that a kubeconfig refers to are found beside it', async (t) => {
  const path = kubeconfigPath(t);
  await writeKubeconfig(path, connection);
  const text = readFileSync(path, 'utf8').replace(
    /certificate-authority-data: .*/,
    'certificate-authority: ca.pem',
  );
  writeFileSync(path, text);
  await assert.rejects(readKubeconfig(path), /names the file ca\.pem, which does not exist/);
  writeFileSync(join(path, '..', 'ca.pem'), 'from file');
  assert.equal((await readKubeconfig(path)).caPem, 'from file');
});

test('a missing, damaged or incomplete file is told apart, with what to do', async (t) => {
  const path = kubeconfigPath(t);
  await assert.rejects(readKubeconfig(path), /There is no kubeconfig at .*selvage up/);
  await writeKubeconfig(path, connection);
  const good = readFileSync(path, 'utf8');
  writeFileSync(path, `${good}\n  : [`);
  await assert.rejects(readKubeconfig(path), /is not valid YAML/);
  writeFileSync(path, good.replace(/current-context.*/, ''));
  await assert.rejects(readKubeconfig(path), /no current-context/);
  writeFileSync(path, good.replace(/current-context.*/, 'current-context: gone'));
  await assert.rejects(readKubeconfig(path), /no context "gone"/);
});
