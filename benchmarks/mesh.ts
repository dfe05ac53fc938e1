// Pod-to-pod requests over the mesh (zero hop on one node, mutual TLS between nodes) and the start of an isolate, each
// as a ratio against plain Node in the same run. `node benchmarks/mesh.ts [--seconds N] [--rounds N] [--json FILE]`
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { silentLog } from '../src/base/log.ts';
import { openAuthority } from '../src/identity/authority.ts';
import type { RouteTable } from '../src/mesh/route-table.ts';
import type { ContainerSpec } from '../src/node/runtimes/runtime.ts';
import { connectShim, type ShimClient } from '../src/node/runtimes/shim/client.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const roundMs = Number(values.seconds) * 1000;
const rounds = Number(values.rounds);
const startsPerKind = 9;

interface Load {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** The same load for everybody: `send` runs `concurrency` at a time; half a second of warm-up is not counted. */
const loadSource = `
  export async function load(send, concurrency, durationMs) {
    const timesMs = [];
    const countFromMs = performance.now() + 500;
    const endMs = countFromMs + durationMs;
    await Promise.all(Array.from({ length: concurrency }, async () => {
      for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
        await send();
        if (beganMs >= countFromMs) timesMs.push(performance.now() - beganMs);
      }
    }));
    timesMs.sort((a, b) => a - b);
    const at = (share) => timesMs[Math.floor(timesMs.length * share)];
    return { requestsPerSecond: timesMs.length / (durationMs / 1000), p50Ms: at(0.5), p99Ms: at(0.99) };
  }`;
const serverSource = `
  import http from 'node:http';
  const server = http.createServer((request, response) => response.end('{"ok":true}'));
  server.listen(process.env.PORT ?? 0, () => console.log(server.address().port));`;
const bareClientSource = `
  import http from 'node:http';
  import { load } from './load.mjs';
  const [port, concurrency, durationMs] = process.argv.slice(2).map(Number);
  const agent = new http.Agent({ keepAlive: true });
  const send = () => new Promise((resolve, reject) => {
    http.get({ port, agent, host: '127.0.0.1' }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; }).on('end', () => resolve(text));
    }).on('error', reject);
  });
  console.log(JSON.stringify(await load(send, concurrency, durationMs)));`;
const bareFetchSource = `
  import { load } from './load.mjs';
  const [port, concurrency, durationMs] = process.argv.slice(2).map(Number);
  const send = async () => (await fetch('http://127.0.0.1:' + port + '/')).text();
  console.log(JSON.stringify(await load(send, concurrency, durationMs)));`;
const podClientSource = `
  import { load } from './load.mjs';
  export default {
    async fetch(request) {
      const { searchParams } = new URL(request.url);
      const send = async () => (await fetch(searchParams.get('url'))).text();
      return Response.json(await load(send, Number(searchParams.get('concurrency')), Number(searchParams.get('ms'))));
    },
  };`;
const fetchServerSource = `export default { fetch: () => new Response('{"ok":true}') };`;

const dir = mkdtempSync(path.join(tmpdir(), 'mesh-benchmark-'));
const files = {
  'load.mjs': loadSource,
  'server.mjs': serverSource,
  'bare-client.mjs': bareClientSource,
  'bare-fetch.mjs': bareFetchSource,
  'pod-client.mjs': podClientSource,
  'fetch-server.mjs': fetchServerSource,
};
const image = path.join(dir, 'image');
mkdirSync(image);
for (const [name, source] of Object.entries(files)) writeFileSync(path.join(image, name), source);

const [a, b] = (await Promise.all(
  ['a', 'b'].map((name) =>
    connectShim({ dataDir: path.join(dir, name), log: silentLog, spawnIfAbsent: true }),
  ),
)) as [ShimClient, ShimClient];
const children: ChildProcess[] = [];
try {
  await main();
} finally {
  for (const child of children) child.kill();
  await Promise.all([a, b].map((shim) => shim.shutdown({ graceSeconds: 1 })));
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

async function main(): Promise<void> {
  const authority = openAuthority({ dir });
  const mesh = await b.openMeshPort({ host: '127.0.0.1', port: 0 });
  for (const [shim, name] of [
    [a, 'client'],
    [a, 'near'],
    [b, 'far'],
  ] as const) {
    const issued = authority.issue({
      commonName: name,
      uris: [`spiffe://cluster.local/ns/default/sa/${name}`],
      usages: ['client', 'server'],
      lifetimeSeconds: 3600,
    });
    await shim.pushIdentity(name, {
      certificate: issued.chainPem,
      privateKey: issued.privateKeyPem,
      trustBundle: authority.caPem,
    });
  }
  await startPod(a, 'near', '10.42.0.2', 'server.mjs');
  await startPod(a, 'near-fetch', '10.42.0.3', 'fetch-server.mjs');
  await startPod(b, 'far', '10.42.1.2', 'server.mjs');
  await startPod(a, 'client', '10.42.0.4', 'pod-client.mjs');
  await a.pushRoutes(routes(`${mesh.host}:${mesh.port}`));
  const barePort = await startBareServer();

  const kinds = {
    'plain node:http, TCP': (concurrency: number) => bareLoad('bare-client.mjs', barePort, concurrency),
    'plain fetch, TCP': (concurrency: number) => bareLoad('bare-fetch.mjs', barePort, concurrency),
    'pod to pod, one node': (concurrency: number) => podLoad('http://near/', concurrency),
    'the same, to a fetch handler': (concurrency: number) => podLoad('http://near-fetch/', concurrency),
    'pod to pod, other node, mTLS': (concurrency: number) => podLoad('http://far/', concurrency),
  };
  const report: Record<string, unknown> = {};
  for (const concurrency of [1, 16]) {
    const results = new Map<string, Load[]>(Object.keys(kinds).map((kind) => [kind, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [kind, run] of Object.entries(kinds)) results.get(kind)!.push(await run(concurrency));
    }
    console.log(
      `\n${concurrency} at a time (medians of ${rounds} rounds)        requests/s   ratio   p50 ms   p99 ms`,
    );
    const base = median(results.get('plain node:http, TCP')!.map((load) => load.requestsPerSecond));
    for (const [kind, loads] of results) {
      const requestsPerSecond = median(loads.map((load) => load.requestsPerSecond));
      const p50Ms = median(loads.map((load) => load.p50Ms));
      const p99Ms = median(loads.map((load) => load.p99Ms));
      const ratio = requestsPerSecond / base;
      report[`${kind}, ${concurrency} at a time`] = { requestsPerSecond, ratio, p50Ms, p99Ms };
      console.log(
        `  ${kind.padEnd(44)}${requestsPerSecond.toFixed(0).padStart(10)}${ratio.toFixed(2).padStart(8)}${p50Ms.toFixed(3).padStart(9)}${p99Ms.toFixed(3).padStart(9)}`,
      );
    }
  }
  await measureStarts(report);
  report.shimRssMiB = rssMiB(a.pid);
  console.log(`\nResident memory of a shim with 3 pods, after this: ${rssMiB(a.pid).toFixed(0)} MiB`);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

/** From the order to start until the program listens, against plain Node from spawn until it says that it listens. */
async function measureStarts(report: Record<string, unknown>): Promise<void> {
  const timesMs: Record<string, number[]> = { bare: [], isolate: [], 'fetch isolate': [] };
  for (let index = 0; index < startsPerKind; index++) {
    let beganMs = performance.now();
    const child = spawn(process.execPath, [path.join(image, 'server.mjs')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data');
    timesMs.bare!.push(performance.now() - beganMs);
    child.kill();
    for (const [kind, entry] of [
      ['isolate', 'server.mjs'],
      ['fetch isolate', 'fetch-server.mjs'],
    ] as const) {
      beganMs = performance.now();
      const id = await startPod(a, `start-${entry}-${index}`, `10.42.0.${100 + index}`, entry);
      timesMs[kind]!.push(performance.now() - beganMs);
      await a.stop(id, { graceSeconds: 1 });
    }
  }
  const bareMs = median(timesMs.bare!);
  console.log(`\nStart to listening (medians of ${startsPerKind})                   ms   ratio`);
  for (const [kind, times] of Object.entries(timesMs)) {
    const ms = median(times);
    report[`start of ${kind}`] = { ms, ratio: ms / bareMs };
    const name = kind === 'bare' ? 'plain node, same server' : `${kind} pod`;
    console.log(`  ${name.padEnd(44)}${ms.toFixed(0).padStart(10)}${(ms / bareMs).toFixed(2).padStart(8)}`);
  }
}

async function startPod(shim: ShimClient, name: string, ip: string, entry: string): Promise<string> {
  const spec: ContainerSpec = {
    id: `${name}/main/0`,
    pod: { namespace: 'default', name, uid: name, ip, serviceAccount: name, labels: {} },
    container: 'main',
    rootDir: image,
    command: [path.join(image, entry)],
    workingDir: image,
    env: { PORT: '8080' },
    mounts: [],
    grants: { worker: false, addons: false, egress: [] },
    logPath: path.join(dir, 'logs', `${name}.log`),
    logBytesMax: 1e6,
    logFilesMax: 2,
  };
  const listening = Promise.withResolvers<void>();
  const unsubscribe = shim.subscribe((state) => {
    if (state.id !== spec.id) return;
    if (state.listening) listening.resolve();
    if (state.phase === 'exited') listening.reject(new Error(JSON.stringify(state)));
  });
  await shim.start(spec);
  await listening.promise.finally(unsubscribe);
  return spec.id;
}

async function startBareServer(): Promise<number> {
  const child = spawn(process.execPath, [path.join(image, 'server.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return Number(line);
}

async function bareLoad(script: string, port: number, concurrency: number): Promise<Load> {
  const args = [path.join(image, script), String(port), String(concurrency), String(roundMs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(Buffer.concat((await child.stdout.toArray()) as Buffer[]).toString());
}

async function podLoad(url: string, concurrency: number): Promise<Load> {
  const socket = await a.dial({ podIP: '10.42.0.4', port: 80 });
  const query = new URLSearchParams({ url, concurrency: String(concurrency), ms: String(roundMs) });
  socket.write(`GET /?${query} HTTP/1.1\r\nhost: client\r\nconnection: close\r\n\r\n`);
  const answer = Buffer.concat((await socket.toArray()) as Buffer[]).toString();
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
}

function routes(meshAddress: string): RouteTable {
  const route = (
    name: string,
    endpoint: { ip: string; node: string; isLocal: boolean; meshAddress?: string },
  ) => ({
    namespace: 'default',
    name,
    clusterIPs: [],
    preferClose: false,
    localOnly: false,
    ports: [
      {
        name: '',
        port: 80,
        endpoints: [
          { ...endpoint, port: 8080, zone: '', spiffeIds: [`spiffe://cluster.local/ns/default/sa/${name}`] },
        ],
      },
    ],
  });
  return {
    version: '1',
    node: { name: 'a', zone: '' },
    routes: [
      route('near', { ip: '10.42.0.2', node: 'a', isLocal: true }),
      route('near-fetch', { ip: '10.42.0.3', node: 'a', isLocal: true }),
      route('far', { ip: '10.42.1.2', node: 'b', isLocal: false, meshAddress }),
    ],
  };
}

function rssMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
