import assert from 'node:assert/strict';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { until } from '../../base/until.ts';
import { openAuthority } from '../../identity/authority.ts';
import { temporaryFolder } from '../../oci/testing.ts';
import { podOf } from '../testing.ts';
import { serveKubeletApi } from './kubelet-api.ts';

/** A kubelet API with a running pod, and how to ask it for an upgrade as somebody of an organization. */
async function startKubelet(t: TestContext) {
  const authority = openAuthority({ dir: await temporaryFolder(t) });
  const phase = { kind: 'running' as const, startedAtMs: 0, isListening: true };
  const container = { restartCount: 0, phase, isStarted: true, isReady: true };
  const pod = {
    uid: 'u1',
    namespace: 'default',
    name: 'web',
    pod: podOf(),
    acceptedAtMs: 0,
    ip: '10.42.0.2',
  };
  const kubelet = await serveKubeletApi({
    host: '127.0.0.1',
    port: 0,
    caPem: authority.caPem,
    clock: systemClock,
    log: silentLog,
    pods: () => [{ ...pod, containers: { web: container } }],
    logDir: () => tmpdir(),
    metrics: async () => '',
    stats: async () => ({}),
    runtime: () => undefined,
    dial: async () => {
      throw new Error('nothing to dial');
    },
  });
  t.after(() => kubelet.stop());
  const issue = (commonName: string, organizations: string[], usage: 'server' | 'client') =>
    authority.issue({
      commonName,
      organizations,
      ipAddresses: ['127.0.0.1'],
      usages: [usage],
      lifetimeSeconds: 3600,
    });
  const serving = issue('system:node:n1', ['system:nodes'], 'server');
  kubelet.useCertificate({ certificatePem: serving.chainPem, privateKeyPem: serving.privateKeyPem });
  const upgrade = (organization: string): Promise<Duplex> => {
    const { certificatePem: cert, privateKeyPem: key } = issue('caller', [organization], 'client');
    const tls = { ca: authority.caPem, cert, key, agent: false };
    const headers = {
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': 'portforward.k8s.io',
    };
    const path = '/portForward/default/web';
    const asked = request({ host: '127.0.0.1', port: kubelet.port, path, method: 'POST', headers, ...tls });
    asked.end();
    return new Promise((resolve, reject) => {
      asked.on('upgrade', (_response, socket) => resolve(socket.on('error', () => {})));
      asked.on('error', reject);
    });
  };
  return { kubelet, upgrade };
}

test('open streams do not keep the agent from stopping', async (t) => {
  const { kubelet, upgrade } = await startKubelet(t);
  const socket = await upgrade('system:masters');
  socket.resume();
  await kubelet.stop();
  await until('the client is told', () => socket.destroyed || socket.readableEnded);
});

test('a client that breaks off right after asking for a stream does no harm', async (t) => {
  const { upgrade } = await startKubelet(t);
  const sockets = await Promise.all([1, 2, 3].map(() => upgrade('system:masters')));
  for (const socket of sockets) socket.destroy();
  const socket = await upgrade('system:masters');
  assert.equal(socket.destroyed, false);
});

test('only the API server and administrators may open streams', async (t) => {
  const { upgrade } = await startKubelet(t);
  await assert.rejects(upgrade('system:nodes'), /socket hang up|ECONNRESET/);
});
