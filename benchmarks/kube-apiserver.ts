import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../src/cli/demo/free-port.ts';
import { memoryOfAll } from '../src/cli/terminal/memory.ts';
import { openAuthority } from '../src/identity/authority.ts';
import { readKubeconfig } from '../src/identity/kubeconfig.ts';
import { type Endpoint, httpsSubject, listed, measure, median, round, type Sample } from './api/load.ts';

/**
 * The same load on `selvage up` (API server, controllers and scheduler in one process) and on Kubernetes' own API
 * server with etcd, without controllers, one after the other on the same cores, with the same client over HTTP/1.1.
 * Run: `node benchmarks/kube-apiserver.ts --kube-apiserver FILE --etcd FILE [--rounds N] [--watchers N]`.
 */

const { values: flags } = parseArgs({
  options: {
    'kube-apiserver': { type: 'string' },
    etcd: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    watchers: { type: 'string', default: '1000' },
  },
});
const rounds = Number(flags.rounds);
const fan = { watchers: Number(flags.watchers), changes: 30 };
const settleMs = 3000;
const startTimeoutMs = 60_000;

interface Server {
  endpoint: Endpoint;
  processes: ChildProcess[];
  dir: string;
}

interface Figures {
  samples: Record<string, Sample>;
  /** Resident bytes of all processes, before and after the load. */
  idleBytes: number;
  loadedBytes: number;
}

const ours: Figures[] = [];
const theirs: Figures[] = [];
const { etcd, 'kube-apiserver': kubeApiserver } = flags;
if (!etcd || !kubeApiserver) {
  console.log(
    'without --kube-apiserver and --etcd there is nothing to compare with: only our own figures follow',
  );
}
for (let round = 0; round < rounds; round++) {
  ours.push(await figuresOf(await startSelvage()));
  if (etcd && kubeApiserver) theirs.push(await figuresOf(await startKubernetes(etcd, kubeApiserver)));
}
report();

async function figuresOf(server: Server): Promise<Figures> {
  const { subject, agent } = httpsSubject(server.endpoint);
  try {
    await delay(settleMs);
    const idleBytes = residentBytes(server);
    const samples = await measure(subject, fan);
    return { samples, idleBytes, loadedBytes: residentBytes(server) };
  } finally {
    agent.destroy();
    await end(server);
  }
}

async function startSelvage(): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-bench-'));
  const port = await freePort();
  const command = join(dirname(import.meta.dirname), 'bin', 'selvage.mjs');
  const args = ['up', '--no-node', '--no-kubeconfig', '--port', String(port), '--data-dir', dir];
  const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const kubeconfig = join(dir, 'kubeconfig');
  await until(() => existsSync(kubeconfig), child);
  const { caPem, clientCertificatePem, clientKeyPem } = await readKubeconfig(kubeconfig);
  const endpoint = { port, ca: caPem!, cert: clientCertificatePem!, key: clientKeyPem! };
  await until(() => isReady(endpoint), child);
  return { endpoint, processes: [child], dir };
}

async function startKubernetes(etcdFile: string, apiserverFile: string): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), 'kube-bench-'));
  const [port, clients, peers] = [await freePort(), await freePort(), await freePort()];
  const authority = openAuthority({ dir: join(dir, 'ca') });
  const admin = authority.issue({
    commonName: 'admin',
    organizations: ['system:masters'],
    usages: ['client'],
    lifetimeSeconds: 3600,
  });
  const serving = authority.issue({
    commonName: 'kube-apiserver',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const ca = file('ca.pem', authority.caPem);
  const serviceAccountKey = file(
    'service-account.key',
    privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  );
  const http = (at: number) => `http://127.0.0.1:${at}`;
  const run = (program: string, args: string[]) =>
    spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore'] });
  const store = run(etcdFile, [
    ...['--data-dir', join(dir, 'etcd'), '--log-level', 'error'],
    ...['--listen-client-urls', http(clients), '--advertise-client-urls', http(clients)],
    ...['--listen-peer-urls', http(peers), '--initial-advertise-peer-urls', http(peers)],
    ...['--initial-cluster', `default=${http(peers)}`],
  ]);
  const server = run(apiserverFile, [
    ...['--etcd-servers', http(clients), '--secure-port', String(port), '--bind-address', '127.0.0.1'],
    ...['--client-ca-file', ca, '--authorization-mode', 'Node,RBAC'],
    ...['--tls-cert-file', file('serving.pem', serving.chainPem)],
    ...['--tls-private-key-file', file('serving.key', serving.privateKeyPem)],
    ...['--service-account-key-file', serviceAccountKey],
    ...['--service-account-signing-key-file', serviceAccountKey],
    ...['--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-cluster-ip-range', '10.43.0.0/16'],
    // Without controllers nobody makes the account that each pod would need.
    ...['--disable-admission-plugins', 'ServiceAccount'],
  ]);
  const endpoint = { port, ca: authority.caPem, cert: admin.certificatePem, key: admin.privateKeyPem };
  await until(() => isReady(endpoint), server);
  return { endpoint, processes: [server, store], dir };
}

/** Answers that it is ready, and has the namespace that the load goes to. */
async function isReady(endpoint: Endpoint): Promise<boolean> {
  for (const path of ['/readyz', '/api/v1/namespaces/default']) {
    const code = await new Promise((resolve) => {
      const sent = https.get({ host: '127.0.0.1', path, agent: false, ...endpoint }, (response) =>
        resolve(response.resume().statusCode),
      );
      sent.on('error', () => resolve(undefined));
    });
    if (code !== 200) return false;
  }
  return true;
}

async function until(isSo: () => boolean | Promise<boolean>, child: ChildProcess): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  while (!(await isSo())) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    if (performance.now() > endMs)
      throw new Error(`${child.spawnfile} was not ready in ${startTimeoutMs} ms`);
    await delay(20);
  }
}

function residentBytes({ processes }: Server): number {
  return memoryOfAll(processes.map(({ pid }) => pid!)).residentBytes;
}

async function end({ processes, dir }: Server): Promise<void> {
  for (const child of processes) {
    const exited = once(child, 'exit');
    if (child.exitCode === null) child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await exited;
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
}

function report(): void {
  console.log(`medians of ${rounds} rounds; list of ${listed}; ${fan.watchers} watchers`);
  const middle = (all: Figures[], pick: (figures: Figures) => number) => median(all.map(pick));
  const rows = Object.keys(ours[0]!.samples).map((name) => {
    const rate = (all: Figures[]) => middle(all, ({ samples }) => samples[name]!.perSecond);
    const p99 = (all: Figures[]) => round(middle(all, ({ samples }) => samples[name]!.p99Ms));
    const own = { 'selvage /s': Math.round(rate(ours)), 'p99 ms': p99(ours) };
    if (theirs.length === 0) return [name, own];
    const kube = { 'kubernetes /s': Math.round(rate(theirs)), 'its p99 ms': p99(theirs) };
    return [name, { ...own, ...kube, ratio: round(rate(ours) / rate(theirs)) }];
  });
  console.table(Object.fromEntries(rows));
  const memory = (name: string, pick: (figures: Figures) => number) => {
    const mb = (all: Figures[]) => `${Math.round(middle(all, pick) / 1e6)} MB`;
    const beside =
      theirs.length > 0
        ? `, kubernetes ${mb(theirs)}, ratio ${round(middle(ours, pick) / middle(theirs, pick))}`
        : '';
    console.log(`resident ${name}: selvage ${mb(ours)}${beside}`);
  };
  memory('idle', ({ idleBytes }) => idleBytes);
  memory('after the load', ({ loadedBytes }) => loadedBytes);
}
