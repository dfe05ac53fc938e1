import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { httpTransport } from '../../../src/client/http-transport.ts';
import { type Client, createClient, type Transport } from '../../../src/client/index.ts';
import { openAuthority } from '../../../src/identity/authority.ts';
import { writeKubeconfig } from '../../../src/identity/kubeconfig.ts';

/** Where the programs are that make up Kubernetes' own control plane. */
export interface Programs {
  etcd: string;
  'kube-apiserver': string;
  'kube-controller-manager': string;
  'kube-scheduler': string;
}

export interface ControlPlane {
  client: Client;
  /** Of the node's agent, for logs. */
  kubelet: { certificatePem: string; privateKeyPem: string };
  stop(): Promise<void>;
}

const startTimeoutMs = 120_000;
const lifetimeSeconds = 24 * 3600;
const addresses = ['--service-cluster-ip-range', '10.43.0.0/16'];

/** Starts them on ports of 127.0.0.1, with what they keep and say under `dir`; the admin's kubeconfig is for kubectl. */
export async function startKubernetes(
  programs: Programs,
  { dir, kubeconfig }: { dir: string; kubeconfig: string },
): Promise<ControlPlane> {
  const started: ChildProcess[] = [];
  const run = (program: keyof Programs, ...args: string[]) => {
    const log = openSync(join(dir, `${program}.log`), 'w');
    started.push(spawn(programs[program], args, { stdio: ['ignore', log, log] }));
  };
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const authority = openAuthority({ dir: join(dir, 'ca') });
  const issue = (commonName: string, ...organizations: string[]) =>
    authority.issue({
      ...{ commonName, organizations, lifetimeSeconds, usages: ['client', 'server'] },
      ...{ ipAddresses: ['127.0.0.1'], dnsNames: ['localhost'] },
    });
  const admin = issue('selvage-admin', 'system:masters');
  const serving = issue('kube-apiserver', 'system:masters');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const accountKey = file('accounts.key', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString());
  const [ca, caKey] = [join(dir, 'ca', 'ca.crt'), join(dir, 'ca', 'ca.key')];
  const certificate = file('serving.crt', serving.chainPem);
  const key = file('serving.key', serving.privateKeyPem);
  const [port, clients, peers] = [await freePort(), await freePort(), await freePort()];
  const http = (at: number) => `http://127.0.0.1:${at}`;
  const server = `https://127.0.0.1:${port}`;
  const connection = {
    ...{ server, caPem: authority.caPem },
    ...{ clientCertificatePem: admin.certificatePem, clientKeyPem: admin.privateKeyPem },
  };
  await writeKubeconfig(kubeconfig, connection);

  run(
    'etcd',
    ...['--data-dir', join(dir, 'etcd'), '--unsafe-no-fsync'],
    ...['--listen-client-urls', http(clients), '--advertise-client-urls', http(clients)],
    ...['--listen-peer-urls', http(peers), '--initial-advertise-peer-urls', http(peers)],
    ...['--initial-cluster', `default=${http(peers)}`],
  );
  run(
    'kube-apiserver',
    ...['--etcd-servers', http(clients), '--secure-port', String(port), '--bind-address', '127.0.0.1'],
    ...['--client-ca-file', ca, '--tls-cert-file', certificate, '--tls-private-key-file', key],
    ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction'],
    ...['--allow-privileged=true', '--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-account-key-file', accountKey, '--service-account-signing-key-file', accountKey],
    ...['--kubelet-preferred-address-types', 'InternalIP'],
    ...['--kubelet-client-certificate', certificate, '--kubelet-client-key', key, ...addresses],
  );
  const transport = httpTransport(connection);
  const client = createClient(transport);
  const secure = async () => ['--bind-address', '127.0.0.1', '--secure-port', String(await freePort())];
  await untilReady(transport, started);
  const asAdmin = ['--kubeconfig', kubeconfig, '--leader-elect=false', '--authentication-skip-lookup'];
  run(
    'kube-controller-manager',
    ...[...asAdmin, ...(await secure()), '--service-account-private-key-file', accountKey],
    ...['--root-ca-file', ca, '--cluster-signing-cert-file', ca, '--cluster-signing-key-file', caKey],
    ...['--allocate-node-cidrs', '--cluster-cidr', '10.42.0.0/16', ...addresses],
  );
  run('kube-scheduler', ...asAdmin, ...(await secure()));
  return {
    client,
    kubelet: serving,
    async stop() {
      transport.close();
      for (const child of started.reverse()) await end(child);
    },
  };
}

async function untilReady(transport: Transport, processes: ChildProcess[]): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  for (;;) {
    const ended = processes.find(({ exitCode }) => exitCode !== null);
    if (ended) throw new Error(`${ended.spawnfile} ended with ${ended.exitCode}; see its log`);
    if (Date.now() > deadlineMs) throw new Error('kube-apiserver did not become ready; see its log');
    if (await isReady(transport)) return;
    await delay(200);
  }
}

async function isReady(transport: Transport): Promise<boolean> {
  const request = { method: 'GET', path: '/readyz', query: new URLSearchParams(), headers: {} } as const;
  const answer = await transport(request).catch(() => undefined);
  // An answer that nobody reads would keep its connection.
  if (answer?.kind === 'bytes') for await (const _ of answer.bytes);
  return answer?.code === 200;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
