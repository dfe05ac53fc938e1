/*
 * New weights for a served model, in place (θ swap) against a full redeploy (a new server process with graph and weights,
 * until it is ready), with clients asking all the time. Time from the new file's being there to the first answer by it, and
 * the bytes that travel to the node; refused or failed requests are counted. Then the same of an InferenceService in a
 * started cluster. Run: node benchmarks/theta-swap.ts [--rounds N]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cifar10Network } from '../src/cli/training/network.ts';
import { exportModel } from '../src/ml/index.ts';
import { median } from './median.ts';
import { measureCluster } from './theta-swap/cluster.ts';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const main = new URL('../src/serving/main.ts', import.meta.url).pathname;
const path = '/v2/models/model';
const port = 18_400 + (process.pid % 1000);
const clients = 4;

const folder = await mkdtemp(join(tmpdir(), 'theta-swap-'));
const { graph, metadata } = exportModel(cifar10Network(1));
const config = JSON.stringify(metadata);
const weights = [1, 2].map((seed) => exportModel(cifar10Network(seed)).weights);
await writeFile(join(folder, 'graph.onnx'), graph);
await writeFile(join(folder, 'config.json'), config);
await put(weights[0]!);

const swapMs: number[] = [];
const redeployMs: number[] = [];
let asked = 0;
let failed = 0;
const server = await serve(port);
const swapping = new AbortController();
const load = Array.from({ length: clients }, () => askOn(swapping.signal));
for (let round = 1; round <= Number(options.rounds); round++) {
  const before = await digestAt(port);
  const startMs = performance.now();
  await put(weights[round % 2]!);
  while ((await digestAt(port)) === before) await new Promise((resolve) => setTimeout(resolve, 2));
  swapMs.push(performance.now() - startMs);
}
swapping.abort();
await Promise.all(load);
for (let round = 0; round < Number(options.rounds); round++) {
  const startMs = performance.now();
  const other = await serve(port + 1);
  redeployMs.push(performance.now() - startMs);
  await end(other);
}
await end(server);
await rm(folder, { recursive: true });

const full = graph.length + weights[0]!.length + config.length;
const [swap, redeploy] = [median(swapMs), median(redeployMs)];
console.log(`swap      ${swap.toFixed(0)} ms, ${weights[0]!.length} bytes`);
console.log(`redeploy  ${redeploy.toFixed(0)} ms (process and model only), ${full} bytes`);
console.log(
  `swap / redeploy: time ${(swap / redeploy).toFixed(2)}, bytes ${(weights[0]!.length / full).toFixed(3)}`,
);
console.log(`${asked} requests during ${swapMs.length} swaps, ${failed} failed`);

const cluster = await measureCluster(Number(options.rounds));
console.log('in a cluster, from the changed storageUri until all pods answer by the new model:');
for (const [name, { ms, bytes, asked: during, failed: lost }] of Object.entries(cluster))
  console.log(
    `${name.padEnd(9)} ${ms.toFixed(0)} ms, ${bytes} bytes fetched; of ${during} requests ${lost} failed`,
  );
const [times, fetched] = [cluster.swap.ms / cluster.redeploy.ms, cluster.swap.bytes / cluster.redeploy.bytes];
console.log(`swap / redeploy: time ${times.toFixed(2)}, bytes ${fetched.toFixed(3)}`);

async function put(bytes: Uint8Array): Promise<void> {
  await writeFile(join(folder, 'new'), bytes);
  await rename(join(folder, 'new'), join(folder, 'weights.safetensors'));
}

async function serve(at: number): Promise<ChildProcess> {
  const env = {
    ...process.env,
    SELVAGE_MOUNTS: JSON.stringify({ '/mnt/models': folder }),
    PORT: String(at),
    GRPC_PORT: '0',
    MODEL_WATCH_MS: '100',
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${at}${path}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return child;
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function end(child: ChildProcess): Promise<void> {
  child.kill();
  await once(child, 'exit');
}

async function digestAt(at: number): Promise<string> {
  const { parameters } = (await (await fetch(`http://127.0.0.1:${at}${path}`)).json()) as {
    parameters: { weights: string };
  };
  return parameters.weights;
}

async function askOn(signal: AbortSignal): Promise<void> {
  const image = new Uint8Array(3072);
  const parameters = { binary_data_size: image.length };
  const head = JSON.stringify({
    inputs: [{ name: 'input', datatype: 'UINT8', shape: [1, 32, 32, 3], parameters }],
  });
  const body = Buffer.concat([Buffer.from(head), image]);
  const headers = { 'inference-header-content-length': String(head.length) };
  while (!signal.aborted) {
    asked += 1;
    const response = await fetch(`http://127.0.0.1:${port}${path}/infer`, { method: 'POST', body, headers });
    if (!response.ok) failed += 1;
    await response.arrayBuffer();
  }
}
