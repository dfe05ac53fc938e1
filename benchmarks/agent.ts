import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pod, pod as podKind } from '../src/api/kinds/pod.ts';
import { connectCluster } from '../src/cli/cluster-connection.ts';

/*
 * What a node agent weighs, idle, without and with a pod, beside a bare Node.js in the same run. PSS counts shared
 * pages (Node's own code, mostly) once over all who share them; RSS counts them in full for each. Linux only.
 * Run: node benchmarks/agent.ts
 */

const settleMs = 10_000;
const timeoutMs = 60_000;
const selvage = join(import.meta.dirname, '..', 'bin', 'selvage.mjs');
const folder = mkdtempSync(join(tmpdir(), 'selvage-bench-'));
const cloud = join(folder, 'cloud');
const edge = join(folder, 'edge');
const started: ChildProcess[] = [];

interface Memory {
  rss: number;
  pss: number;
}

try {
  const server = await startServer();
  // The first run fills the compile cache: what is measured is every later start.
  await stop(await startAgent(server));
  const agent = await startAgent(server);
  const bare = start(['-e', 'setInterval(() => {}, 1e6)'], { isIpc: false });
  await pause(settleMs);
  const bareMemory = memoryOf(bare.pid!);
  const idle = memoryOf(agent.pid!);

  buildApp();
  const firstMs = await runPod('first');
  await pause(settleMs);
  const busy = memoryOf(agent.pid!);
  const secondMs = await runPod('second');
  const shim = processOf(join(edge, 'node'), 'shim/main');
  const isolate = processOf(join(edge, 'node'), 'isolate/host');
  console.log(
    `\nfirst pod applied to Ready: ${Math.round(firstMs)} ms (the image is pulled, the shim is started)`,
  );
  console.log(`second pod applied to Ready: ${Math.round(secondMs)} ms`);
  console.log('\n                          RSS MB   PSS MB   RSS over bare node');
  show('bare node', bareMemory, bareMemory);
  show('agent, no pod', idle, bareMemory);
  show('agent, one pod', busy, bareMemory);
  show('its shim', memoryOf(shim), bareMemory);
  show('the pod', memoryOf(isolate), bareMemory);
} finally {
  for (const child of started) child.connected ? child.disconnect() : child.kill('SIGTERM');
  await Promise.all(started.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
  rmSync(folder, { recursive: true, force: true });
}

async function startServer(): Promise<{ server: string; joinToken: string }> {
  const child = start([selvage, 'up', '--no-node', '--no-kubeconfig', '--port', '0', '--data-dir', cloud]);
  return (await ready(child)) as { server: string; joinToken: string };
}

async function startAgent({
  server,
  joinToken,
}: {
  server: string;
  joinToken: string;
}): Promise<ChildProcess> {
  const flags = [
    '--server',
    server,
    '--token',
    joinToken,
    '--name',
    'edge',
    '--data-dir',
    edge,
    '--stop-pods',
  ];
  const child = start([selvage, 'agent', ...flags]);
  await ready(child);
  return child;
}

/** Builds a small service into the cluster's registry. */
function buildApp(): void {
  const app = join(folder, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{"type":"module","main":"server.js"}');
  writeFileSync(join(app, 'server.js'), `export default { fetch: () => new Response('hello') };\n`);
  const build = [selvage, 'build', app, '-t', 'app:1', '--data-dir', cloud];
  execFileSync(process.execPath, build, { stdio: 'ignore' });
}

/** Runs the service as a pod, and tells how long it took until it was Ready. */
async function runPod(name: string): Promise<number> {
  const { client } = await connectCluster(join(cloud, 'kubeconfig'));
  const startMs = performance.now();
  await client.create<Pod>(podKind, {
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'app', image: 'app:1' }] },
  } as Pod);
  for (;;) {
    const { status } = await client.get<Pod>(podKind, { namespace: 'default', name });
    const isReady = status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True');
    const tookMs = performance.now() - startMs;
    if (isReady) return tookMs;
    if (tookMs > timeoutMs) throw new Error(`the pod is not Ready: ${JSON.stringify(status)}`);
    await pause(5);
  }
}

function start(args: string[], options: { isIpc: boolean } = { isIpc: true }): ChildProcess {
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  const child = spawn(process.execPath, args, { stdio: options.isIpc ? [...stdio, 'ipc'] : [...stdio] });
  started.push(child);
  return child;
}

async function ready(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${child.exitCode}`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message;
}

async function stop(child: ChildProcess): Promise<void> {
  child.disconnect();
  await once(child, 'exit');
}

function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)![1]) / 1000;
  return { rss: field('Rss'), pss: field('Pss') };
}

/** The process of this node's data folder whose command line names `part`. */
function processOf(dataDir: string, part: string): number {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command.includes(dataDir) && command.includes(part)) return Number(pid);
    } catch {
      // It ended while we looked.
    }
  }
  throw new Error(`no process ${part} runs for ${dataDir}`);
}

function show(name: string, memory: Memory, bare: Memory): void {
  const cells = [memory.rss.toFixed(1), memory.pss.toFixed(1), `${(memory.rss / bare.rss).toFixed(2)}x`];
  console.log(`${name.padEnd(24)}${cells.map((cell) => cell.padStart(9)).join('')}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
