import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../src/cli/demo/free-port.ts';
import { type MemoryUse, memoryOfAll } from '../src/cli/terminal/memory.ts';
import { openAuthority } from '../src/identity/authority.ts';
import { readKubeconfig } from '../src/identity/kubeconfig.ts';
import { type Endpoint, httpsSubject, listed, measure, round, type Sample } from './api/load.ts';
import { median } from './median.ts';

/**
 * The same load on `selvage up` (API server, controllers and scheduler in one process) and on Kubernetes' own API
 * server with etcd, without controllers, one after the other on the same cores, with the same client over HTTP/1.1.
 * Run: `node benchmarks/kube-apiserver.ts --kube-apiserver FILE --etcd FILE [--rounds N] [--rest SECONDS] [--watchers N]`.
 */

const { values: flags } = parseArgs({
  options: {
    'kube-apiserver': { type: 'string' },
    etcd: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    rest: { type: 'string', default: '60' },
    watchers: { type: 'string', default: '1000' },
  },
});
const rounds = Number(flags.rounds);
const fan = { watchers: Number(flags.watchers), changes: 30 };
/** By then both have collected the garbage of their start. */
const settleMs = 10_000;
/** By then both have given back what the load took. */
const restMs = Number(flags.rest) * 1000;
const startTimeoutMs = 60_000;

interface Server {
  endpoint: Endpoint;
  processes: ChildProcess[];
  dir: string;
}

interface Figures {
  samples: Record<string, Sample>;
  /** Of all processes: before the load, right after it, and when it is over for a while. */
  idle: MemoryUse;
  loaded: MemoryUse;
  rested: MemoryUse;
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
    const idle = memoryOfServer(server);
    const samples = await measure(subject, fan, () => cpuMsOf(server));
    const loaded = memoryOfServer(server);
    agent.destroy();
    await delay(restMs);
    return { samples, idle, loaded, rested: memoryOfServer(server) };
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

/** User and system time of all its threads; the kernel counts it in hundredths of a second. */
function cpuMsOf({ processes }: Server): number {
  const ticks = processes.map(({ pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, each) => sum + each, 0) * 10;
}

function memoryOfServer({ processes }: Server): MemoryUse {
  return memoryOfAll(processes.map(({ pid }) => pid!));
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
    const cpu = (all: Figures[]) => Math.round(middle(all, ({ samples }) => samples[name]!.cpuUs));
    const own = { 'selvage /s': Math.round(rate(ours)), 'p99 ms': p99(ours), 'CPU us': cpu(ours) };
    if (theirs.length === 0) return [name, own];
    const kube = {
      'kubernetes /s': Math.round(rate(theirs)),
      'its p99 ms': p99(theirs),
      'its CPU us': cpu(theirs),
    };
    return [
      name,
      {
        ...own,
        ...kube,
        ratio: round(rate(ours) / rate(theirs)),
        'CPU ratio': round(cpu(ours) / cpu(theirs)),
      },
    ];
  });
  console.table(Object.fromEntries(rows));
  const ofMemory = (pick: (figures: Figures) => number) => {
    const own = { 'selvage MB': Math.round(middle(ours, pick) / 1e6) };
    if (theirs.length === 0) return own;
    const kube = { 'kubernetes MB': Math.round(middle(theirs, pick) / 1e6) };
    return { ...own, ...kube, ratio: round(middle(ours, pick) / middle(theirs, pick)) };
  };
  console.table({
    'idle, resident': ofMemory(({ idle }) => idle.residentBytes),
    'idle, without pages of files': ofMemory(({ idle }) => idle.anonymousBytes ?? Number.NaN),
    'right after the load, resident': ofMemory(({ loaded }) => loaded.residentBytes),
    'a minute later, resident': ofMemory(({ rested }) => rested.residentBytes),
    'the same, without pages of files': ofMemory(({ rested }) => rested.anonymousBytes ?? Number.NaN),
  });
}
