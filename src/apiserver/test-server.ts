import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kinds } from '../api/kinds/index.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { createLog, silentLog } from '../base/log.ts';
import { type Authority, openAuthority } from '../identity/authority.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import type { ExtraHandler, Listening } from './http/listen.ts';
import { type ApiServer, type ApiServerOptions, createApiServer } from './server.ts';

/** A real API server for tests: SQLite in memory, its own authority, HTTPS on a free port. */
export interface TestServer {
  server: ApiServer;
  store: Store;
  authority: Authority;
  port: number;
  /** A folder that `close` removes. */
  dir: string;
  /** A client certificate. */
  issueClient(
    commonName: string,
    organizations?: string[],
  ): { certificatePem: string; privateKeyPem: string };
  /** Writes a kubeconfig with a client certificate and returns its path. */
  writeKubeconfig(commonName: string, organizations?: string[]): string;
  close(): Promise<void>;
}

const daySeconds = 24 * 3600;
const loopback = '127.0.0.1';

export async function startTestServer(
  options: Partial<ApiServerOptions> & {
    path?: string;
    listens?: boolean;
    extraHandlers?: ExtraHandler[];
  } = {},
): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-api-'));
  const clock: Clock = options.clock ?? systemClock;
  const log =
    process.env.SELVAGE_TEST_LOG === '1'
      ? createLog({ level: 'debug', write: (line) => process.stderr.write(line) })
      : silentLog;
  const store = openStore({ path: options.path ?? ':memory:', clock });
  const authority = openAuthority({ dir: join(dir, 'ca') });
  const server = createApiServer({ store, kinds, clock, log, version: '0.1.0', ...options });
  let listening: Listening | undefined;
  if (options.listens !== false) {
    const issued = authority.issue({
      commonName: 'selvage-apiserver',
      dnsNames: ['localhost', 'kubernetes'],
      ipAddresses: [loopback],
      usages: ['server'],
      lifetimeSeconds: daySeconds,
    });
    const tls = { certPem: issued.chainPem, keyPem: issued.privateKeyPem, caPem: authority.caPem };
    listening = await server.listen({
      host: loopback,
      port: 0,
      tls,
      extraHandlers: options.extraHandlers ?? [],
    });
  }
  const port = listening?.port ?? 0;
  await server.bootstrap(listening ? { endpoint: { ip: loopback, port } } : {});
  const issueClient: TestServer['issueClient'] = (commonName, organizations = ['system:masters']) =>
    authority.issue({ commonName, organizations, usages: ['client'], lifetimeSeconds: daySeconds });
  return {
    server,
    store,
    authority,
    port,
    dir,
    issueClient,
    writeKubeconfig(commonName, organizations) {
      const { certificatePem, privateKeyPem } = issueClient(commonName, organizations);
      const path = join(dir, `kubeconfig-${commonName.replaceAll(':', '-')}`);
      const kubeconfig = kubeconfigOf(port, authority.caPem, certificatePem, privateKeyPem);
      writeFileSync(path, JSON.stringify(kubeconfig), { mode: 0o600 });
      return path;
    },
    async close() {
      await listening?.close();
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function kubeconfigOf(port: number, caPem: string, certPem: string, keyPem: string): object {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {
        name: 'test',
        cluster: { server: `https://${loopback}:${port}`, 'certificate-authority-data': base64(caPem) },
      },
    ],
    users: [
      {
        name: 'test',
        user: { 'client-certificate-data': base64(certPem), 'client-key-data': base64(keyPem) },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  };
}
