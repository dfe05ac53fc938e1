import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateSigningRequest as requestKind } from '../api/kinds/certificateSigningRequest.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { FakeClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { createClient } from '../client/create-client.ts';
import { createEventRecorder } from '../client/events.ts';
import { createRequest } from '../identity/csr.ts';
import { answeredKeptMs, run, unansweredKeptMs } from './certificate-signing.ts';
import { createInformers } from './informers.ts';
import { find } from './test-cluster.ts';

test('answered requests are cleaned up after an hour, those of other signers after a day', async () => {
  const clock = new FakeClock();
  const api = await startTestServer({ clock, listens: false });
  const client = createClient(api.server.transport());
  const stop = new AbortController();
  const informers = createInformers({ client, clock, log: silentLog, signal: stop.signal });
  const recorder = (component: string) => createEventRecorder({ client, clock, log: silentLog, component });
  const controller = run(
    { client, clock, log: silentLog, informers, recorder },
    { authority: api.authority },
  );
  const settle = async (until: () => Promise<boolean>) => {
    for (let turns = 0; turns < 200 && !(await until()); turns++) await clock.advance(0);
  };
  try {
    const names = { commonName: 'system:node:n1', organizations: ['system:masters'] };
    const request = Buffer.from(createRequest(names).csrPem).toString('base64');
    const usages = ['client auth'];
    for (const [name, signerName] of [
      ['ours', 'kubernetes.io/kube-apiserver-client-kubelet'],
      ['other', 'example.com/signer'],
    ] as const) {
      await client.create(requestKind, { metadata: { name }, spec: { request, signerName, usages } });
    }
    await settle(async () => Boolean((await find(client, requestKind, 'ours'))?.status?.conditions));
    await clock.advance(answeredKeptMs - 60_000);
    assert.ok(await find(client, requestKind, 'ours'));
    await clock.advance(120_000);
    await settle(async () => !(await find(client, requestKind, 'ours')));
    assert.equal(await find(client, requestKind, 'ours'), undefined);
    assert.ok(await find(client, requestKind, 'other'));
    await clock.advance(unansweredKeptMs);
    await settle(async () => !(await find(client, requestKind, 'other')));
    assert.equal(await find(client, requestKind, 'other'), undefined);
  } finally {
    await controller.stop();
    stop.abort();
    await api.close();
  }
});
