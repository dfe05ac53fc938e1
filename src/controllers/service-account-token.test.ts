import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { secret as secretKind } from '../api/kinds/secret.ts';
import { serviceAccount as accountKind } from '../api/kinds/serviceAccount.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { systemClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import { createClient } from '../client/create-client.ts';
import { openServiceAccountTokens } from '../identity/service-account-token.ts';
import { createInformers } from './informers.ts';
import { run } from './service-account-token.ts';

async function startCluster() {
  const { mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const dir = mkdtempSync(join(tmpdir(), 'selvage-tokens-'));
  const tokens = openServiceAccountTokens({ keyPath: join(dir, 'key'), clock: systemClock });
  const api = await startTestServer({ listens: false, serviceAccountTokens: tokens });
  const client = createClient(api.server.transport());
  const stop = new AbortController();
  const shared = { client, clock: systemClock, log: silentLog };
  const informers = createInformers({ ...shared, signal: stop.signal });
  const recorder = () => {
    throw new Error('it tells no events');
  };
  const controller = run({ ...shared, informers, recorder }, { caPem: 'the authority' });
  const close = async () => {
    await controller.stop();
    stop.abort();
    await api.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { client, close };
}

const tokenSecret = (name: string, account: string) => ({
  metadata: { name, namespace: 'default', annotations: { 'kubernetes.io/service-account.name': account } },
  type: 'kubernetes.io/service-account-token',
});

test('a Secret for a service account is filled with a token that is taken until either is gone', async () => {
  const { client, close } = await startCluster();
  try {
    await client.create(accountKind, { metadata: { name: 'robot', namespace: 'default' } });
    await client.create(secretKind, tokenSecret('robot-token', 'robot'));
    const filled = await until('the token', async () => {
      const secret = await client.get(secretKind, { name: 'robot-token', namespace: 'default' });
      return secret.data?.token ? secret : undefined;
    });
    const decode = (text = '') => Buffer.from(text, 'base64').toString();
    assert.equal(decode(filled.data?.namespace), 'default');
    assert.equal(decode(filled.data?.['ca.crt']), 'the authority');
    const account = await client.get(accountKind, { name: 'robot', namespace: 'default' });
    assert.equal(filled.metadata?.annotations?.['kubernetes.io/service-account.uid'], account.metadata?.uid);
    const review = async () => {
      const kind = {
        group: 'authentication.k8s.io',
        version: 'v1',
        kind: 'TokenReview',
        plural: 'tokenreviews',
      };
      const body = { spec: { token: decode(filled.data?.token) } };
      const answer = await client.create({ ...kind, namespaced: false }, body as object);
      return (answer as { status?: { authenticated?: boolean; user?: { username: string } } }).status;
    };
    assert.equal((await review())?.user?.username, 'system:serviceaccount:default:robot');
    await client.delete(accountKind, { name: 'robot', namespace: 'default' });
    await until('the Secret gone', async () => {
      const found = client.get(secretKind, { name: 'robot-token', namespace: 'default' });
      return found.then(
        () => false,
        (error: unknown) => isStatus(error, 'NotFound'),
      );
    });
    assert.ok(!(await review())?.authenticated);
  } finally {
    await close();
  }
});

test('a Secret for an account that there is none of goes, and one that names none is refused', async () => {
  const { client, close } = await startCluster();
  try {
    await client.create(secretKind, tokenSecret('lonely', 'nobody'));
    await until('the Secret gone', async () => {
      const { items } = await client.list(secretKind, { namespace: 'default' });
      return items.length === 0;
    });
    const nameless = { ...tokenSecret('nameless', ''), metadata: { name: 'nameless', namespace: 'default' } };
    await assert.rejects(
      client.create(secretKind, nameless),
      /metadata\.annotations\[kubernetes\.io\/service-account\.name\]: Required value/,
    );
  } finally {
    await close();
  }
});
