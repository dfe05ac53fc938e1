// How soon `selvage up` answers, how soon its first pod is Ready, and what it weighs idle, beside bare Node.js in the
// same run. Usage: node benchmarks/boot.ts [--rounds N]. Times are from the start of the process; medians.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { deployment } from '../src/api/kinds/deployment.ts';
import { connectCluster } from '../src/cli/cluster-connection.ts';
import { freePort } from '../src/cli/demo/free-port.ts';
import { untilPodReady } from '../src/cli/demo/wait.ts';
import { type MemoryUse, memoryOf, memoryOfAll, processesWith } from '../src/cli/terminal/memory.ts';
import { percentile } from '../src/cli/terminal/units.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const root = join(import.meta.dirname, '..');
const selvage = join(root, 'bin/selvage.mjs');
/** By then start-up's garbage is collected, and a process is what it is when nobody asks it anything. */
const settleMs = 8000;

interface Up {
  home: string;
  port: number;
  process: ChildProcess;
  startedMs: number;
}

async function startUp(): Promise<Up> {
  const home = mkdtempSync(join(tmpdir(), 'selvage-boot-'));
  const port = await freePort();
  const build = ['build', join(root, 'examples/my-app'), '-t', 'my-app:1.0.0', '--data-dir', home];
  spawnSync(process.execPath, [selvage, ...build], { stdio: 'ignore' });
  const startedMs = performance.now();
  const args = ['up', '--port', String(port), '--no-kubeconfig', '--data-dir', home];
  return { home, port, startedMs, process: spawn(process.execPath, [selvage, ...args], { stdio: 'ignore' }) };
}

async function measureBoot(): Promise<{
  apiReadyMs: number;
  firstPodReadyMs: number;
  node: number;
  idle: MemoryUse;
}> {
  const nodeStartMs = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  const node = performance.now() - nodeStartMs;
  const up = await startUp();
  try {
    await untilAnswers(up.port);
    const apiReadyMs = performance.now() - up.startedMs;
    const { client } = await connectCluster(join(up.home, 'kubeconfig'));
    await client.create(deployment, {
      metadata: { name: 'app', namespace: 'default' },
      spec: {
        selector: { matchLabels: { app: 'app' } },
        template: {
          metadata: { labels: { app: 'app' } },
          spec: { containers: [{ name: 'app', image: 'my-app:1.0.0' }] },
        },
      },
    });
    await untilPodReady(client, { namespace: 'default', labelSelector: 'app=app', timeoutMs: 30_000 });
    const firstPodReadyMs = performance.now() - up.startedMs;
    await delay(settleMs);
    return { apiReadyMs, firstPodReadyMs, node, idle: memoryOfAll(processesOf(up)) };
  } finally {
    await end(up);
  }
}

async function measureIdle(): Promise<{ up: MemoryUse; node: MemoryUse }> {
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], { stdio: 'ignore' });
  const up = await startUp();
  try {
    await untilAnswers(up.port);
    await delay(settleMs);
    return { up: memoryOfAll(processesOf(up)), node: memoryOf(bare.pid!)! };
  } finally {
    bare.kill();
    await end(up);
  }
}

/** The process itself and whatever works in its data folder: the shim and the pods. */
function processesOf({ home, process: { pid } }: Up): number[] {
  return [...new Set([pid!, ...processesWith([home])])];
}

async function untilAnswers(port: number): Promise<void> {
  for (;;) {
    const answered = await new Promise<boolean>((resolve) => {
      const request = https.get({
        host: '127.0.0.1',
        port,
        path: '/readyz',
        rejectUnauthorized: false,
        agent: false,
      });
      request.on('response', (response) => resolve(response.resume().statusCode === 200));
      request.on('error', () => resolve(false));
    });
    if (answered) return;
    await delay(5);
  }
}

async function end({ process: child, home }: Up): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
  rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

const row = (name: string, text: string) => console.log(`${name.padEnd(44)} ${text}`);
const median = (numbers: number[]) => percentile(numbers, 0.5);
const ms = (value: number) => `${value.toFixed(0).padStart(5)} ms`;
const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0).padStart(5)} MB`;

await measureBoot(); // fills the compile cache
const boots = [];
for (let i = 0; i < rounds; i++) boots.push(await measureBoot());
const idles = [];
for (let i = 0; i < Math.min(rounds, 3); i++) idles.push(await measureIdle());

const node = median(boots.map((boot) => boot.node));
const apiReady = median(boots.map((boot) => boot.apiReadyMs));
const firstPod = median(boots.map((boot) => boot.firstPodReadyMs));
const bare = median(idles.map((idle) => idle.node.residentBytes));
const rss = (uses: MemoryUse[]) => median(uses.map((use) => use.residentBytes));
const pss = (uses: MemoryUse[]) => median(uses.map((use) => use.proportionalBytes ?? Number.NaN));
const idle = idles.map((each) => each.up);
const withPod = boots.map((boot) => boot.idle);
console.log(
  `medians of ${rounds} starts (memory: ${idles.length} idle, ${rounds} with a pod), new data folder each\n`,
);
row('bare node: start to end', ms(node));
row('selvage up: API ready', `${ms(apiReady)}   ${(apiReady / node).toFixed(1)} x bare node`);
row('selvage up: first pod Ready', `${ms(firstPod)}   ${(firstPod / node).toFixed(1)} x bare node`);
row('bare node: resident', mb(bare));
row(
  'selvage up, idle, all processes: resident',
  `${mb(rss(idle))}   ${(rss(idle) / bare).toFixed(1)} x bare node, proportional ${mb(pss(idle))}`,
);
row(
  'the same with one pod (and its shim)',
  `${mb(rss(withPod))}   ${(rss(withPod) / bare).toFixed(1)} x bare node, proportional ${mb(pss(withPod))}`,
);
