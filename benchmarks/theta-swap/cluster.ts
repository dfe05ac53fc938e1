// New weights of an InferenceService in a started cluster, against a full redeploy of it: another graph, other pods.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type InferenceService, inferenceService } from '../../src/api/kinds/inferenceService.ts';
import { service as serviceKind } from '../../src/api/kinds/service.ts';
import { connectCluster } from '../../src/cli/cluster-connection.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { percentile } from '../../src/cli/terminal/units.ts';
import { cifar10Network } from '../../src/cli/training/network.ts';
import type { Client } from '../../src/client/client.ts';
import { exportModel } from '../../src/ml/index.ts';
import { packModel } from '../../src/oci/artifact.ts';
import { ContentStore } from '../../src/oci/content-store.ts';

const root = join(import.meta.dirname, '../..');
const served = 'selvage.dev/model-reference';
const waitMs = 120_000;

export interface Change {
  ms: number;
  /** What the node fetched. */
  bytes: number;
  /** Requests meanwhile. */
  asked: number;
  failed: number;
}

export interface ClusterFigures {
  swap: Change;
  redeploy: Change;
}

/** Medians over the rounds, and the requests of all of them; from the changed storageUri until all pods answer by the new model. */
export async function measureCluster(rounds: number): Promise<ClusterFigures> {
  const home = await mkdtemp(join(tmpdir(), 'theta-swap-'));
  const port = await freePort();
  const args = ['up', '--port', String(port), '--no-kubeconfig', '--data-dir', home];
  const up = spawn(process.execPath, [join(root, 'bin/selvage.mjs'), ...args], { stdio: 'ignore' });
  try {
    return await measure(await connected(home), home, rounds);
  } finally {
    up.kill();
    await once(up, 'exit');
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measure(client: Client, home: string, rounds: number): Promise<ClusterFigures> {
  const store = await ContentStore.open(join(home, 'registry'));
  /** Packs a model of a graph that this number tells from others; gives its name. */
  const pack = async (graph: number, seed: number) => {
    const exported = exportModel(cifar10Network(seed));
    // A byte at the end of the file: a comment to ONNX, another blob to the registry.
    const name = Buffer.from([0xba, 0x3e, 1, 0x30 + (graph % 10)]);
    const reference = `m:${graph}-${seed}`;
    const bytes = graph === 0 ? exported.graph : Buffer.concat([exported.graph, name]);
    await packModel({ store, reference, graph: bytes, weights: exported.weights, config: {} });
    return reference;
  };
  const first = await pack(0, 1);
  await client.create(inferenceService, objectOf(first));
  await untilServed(client, first);
  const load = askOn(await addressOf(client));
  const change = async (reference: string): Promise<Change> => {
    const before = await blobBytes(home);
    load.take();
    const startMs = performance.now();
    const body = { spec: objectOf(reference).spec };
    await client.patch(inferenceService, { namespace: 'default', name: 'm' }, { type: 'merge', body });
    await untilServed(client, reference);
    const ms = performance.now() - startMs;
    return { ms, bytes: (await blobBytes(home)) - before, ...load.take() };
  };
  const swaps: Change[] = [];
  const redeploys: Change[] = [];
  for (let round = 1; round <= rounds; round++) {
    swaps.push(await change(await pack(round - 1, 100 + round)));
    redeploys.push(await change(await pack(round, 200 + round)));
  }
  await load.end();
  return { swap: summed(swaps), redeploy: summed(redeploys) };
}

function objectOf(reference: string): InferenceService {
  return {
    metadata: { name: 'm', namespace: 'default' },
    spec: { predictor: { model: { modelFormat: { name: 'onnx' }, storageUri: `oci://${reference}` } } },
  } as InferenceService;
}

async function untilServed(client: Client, reference: string): Promise<void> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    const found = await client.get(inferenceService, { namespace: 'default', name: 'm' });
    if (found.status?.annotations?.[served]?.startsWith(`${reference}@`)) return;
    if (performance.now() > endMs)
      throw new Error(`${reference} is not served: ${JSON.stringify(found.status)}`);
    await delay(10);
  }
}

async function addressOf(client: Client): Promise<string> {
  await client.create(serviceKind, {
    metadata: { name: 'outside', namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      selector: { app: 'm-predictor' },
      ports: [{ port: 8001, targetPort: 8080, protocol: 'TCP' }],
    },
  });
  for (;;) {
    const { status } = await client.get(serviceKind, { namespace: 'default', name: 'outside' });
    const [ingress] = status?.loadBalancer?.ingress ?? [];
    if (ingress?.ip) return `http://${ingress.ip}:${ingress.ports?.[0]?.port ?? 8001}`;
    await delay(50);
  }
}

/** Four clients that ask all the time. */
function askOn(address: string): { take(): { asked: number; failed: number }; end(): Promise<unknown> } {
  const stopping = new AbortController();
  const image = new Uint8Array(3072);
  const parameters = { binary_data_size: image.length };
  const inputs = [{ name: 'input', datatype: 'UINT8', shape: [1, 32, 32, 3], parameters }];
  const head = JSON.stringify({ inputs });
  const body = Buffer.concat([Buffer.from(head), image]);
  const headers = { 'inference-header-content-length': String(head.length) };
  let counts = { asked: 0, failed: 0 };
  const ask = async () => {
    while (!stopping.signal.aborted) {
      counts.asked += 1;
      const answer = await fetch(`${address}/v2/models/m/infer`, { method: 'POST', body, headers }).then(
        async (response) => response.ok && (await response.arrayBuffer()).byteLength > 0,
        () => false,
      );
      if (!answer) counts.failed += 1;
    }
  };
  const all = Promise.all(Array.from({ length: 4 }, ask));
  return {
    /** What was counted since the last call. */
    take() {
      const taken = counts;
      counts = { asked: 0, failed: 0 };
      return taken;
    },
    end() {
      stopping.abort();
      return all;
    },
  };
}

/** What the node's own store of blobs holds. */
async function blobBytes(home: string): Promise<number> {
  const folder = join(home, 'node/images/blobs/sha256');
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function summed(changes: Change[]): Change {
  const sum = (count: (change: Change) => number) => changes.reduce((total, each) => total + count(each), 0);
  return {
    ms: percentile(
      changes.map(({ ms }) => ms),
      0.5,
    ),
    bytes: percentile(
      changes.map(({ bytes }) => bytes),
      0.5,
    ),
    asked: sum(({ asked }) => asked),
    failed: sum(({ failed }) => failed),
  };
}

/** The cluster's client once the API answers. */
async function connected(home: string): Promise<Client> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    try {
      const { client } = await connectCluster(join(home, 'kubeconfig'));
      await client.list(inferenceService);
      return client;
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await delay(50);
    }
  }
}
