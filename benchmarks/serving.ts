/*
 * The model server with the CIFAR-10 network: one image through it in process against a bare onnxruntime call on the
 * same bytes, in the same run; then over HTTP (server in a process of its own, binary tensors), one at a time and 32
 * clients at once, with and without batching; this also with a network of three wide dense layers, whose weights
 * (33 MB) a run has to read whole, for one row as for a batch. Run: node benchmarks/serving.ts [--threads N] [--rounds N] [--seconds N]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { systemClock } from '../src/base/clock.ts';
import { Metrics } from '../src/base/metrics.ts';
import { cifar10Network } from '../src/cli/training/network.ts';
import { dense, exportModel, input, sequential } from '../src/ml/index.ts';
import { bake } from '../src/ml/portable.ts';
import { batchRowsMax, withBatching } from '../src/serving/batching.ts';
import { createHttpServer } from '../src/serving/listen.ts';
import { createModelServer } from '../src/serving/server.ts';
import { startSession } from '../src/serving/session.ts';
import { median } from './median.ts';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    /** Internal: be the server of --model, with so many rows a batch. */
    serve: { type: 'string' },
    model: { type: 'string', default: 'cifar10' },
  },
});
const threads = Number(options.threads);
const callsPerRound = 300;
const clients = 32;
const warmUpMs = 500;
const wideUnits = 2048;
const models = {
  cifar10: {
    network: () => cifar10Network(1),
    input: { shape: [1, 32, 32, 3], datatype: 'UINT8' },
    bytes: Uint8Array.from({ length: 3072 }, (_, i) => (i * 31) % 256),
  },
  wide: {
    network: () =>
      sequential(
        [
          input([wideUnits]),
          dense(wideUnits, { activation: 'relu' }),
          dense(wideUnits, { activation: 'relu' }),
          dense(10),
        ],
        { seed: 1 },
      ),
    input: { shape: [1, wideUnits], datatype: 'FP32' },
    bytes: new Uint8Array(new Float32Array(wideUnits).fill(0.5).buffer),
  },
};
type ModelName = keyof typeof models;

const pathOf = (model: ModelName) => `/v2/models/${model}/infer`;

function bakedOf(model: ModelName): Uint8Array {
  const { graph, weights } = exportModel(models[model].network());
  return bake(graph, weights);
}

function requestOf(model: ModelName) {
  const { input, bytes } = models[model];
  const head = JSON.stringify({
    inputs: [{ name: 'input', ...input, parameters: { binary_data_size: bytes.length } }],
    parameters: { binary_data_output: true },
  });
  const body = Buffer.concat([Buffer.from(head), bytes]);
  const headers = {
    'inference-header-content-length': String(head.length),
    'content-length': String(body.length),
  };
  return { body, headers };
}

async function startServer(name: ModelName, rowsMax: number) {
  const metrics = new Metrics();
  const loaded = await startSession({ onnx: bakedOf(name), threads });
  const batching = { model: name, metrics, clock: systemClock, rowsMax, latencyBudgetMs: 0 };
  const session = await withBatching(loaded, batching);
  const served = [{ name, version: '1', labels: undefined, session }];
  return { session, server: createModelServer({ models: served, metrics, version: '0' }) };
}

if (options.serve) {
  const { server } = await startServer(options.model as ModelName, Number(options.serve));
  const listening = createHttpServer(server.handle).listen(0, '127.0.0.1', () => {
    console.log((listening.address() as AddressInfo).port);
  });
} else {
  await inProcess();
  await overHttp();
}

async function inProcess(): Promise<void> {
  // As session-worker.ts starts it, so that the ratio shows the server alone.
  const bare = await ort.InferenceSession.create(bakedOf('cifar10'), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const { server, session } = await startServer('cifar10', batchRowsMax);
  const { bytes: image } = models.cifar10;
  const { body, headers } = requestOf('cifar10');
  const callBare = () => bare.run({ input: new ort.Tensor('uint8', image, [1, 32, 32, 3]) });
  const asked = {
    method: 'POST',
    path: pathOf('cifar10'),
    query: '',
    header: (name: string) => (headers as Record<string, string>)[name],
    read: () => body,
  };
  const callServer = async () => {
    const answer = await server.handle(asked);
    if (answer.status !== 200) throw new Error(String(answer.body));
  };
  const tensors = () => ({
    input: { datatype: 'UINT8' as const, shape: [1, 32, 32, 3], data: image },
  });
  const inWorker = await startSession({ onnx: bakedOf('cifar10'), threads, inlineMsMax: 0 });
  const callWorker = () => inWorker.run(tensors());
  const callSession = () => session.run(tensors());
  const subjects = { worker: callWorker, session: callSession, server: callServer };
  console.log(
    `one image in process, ${threads} threads, beside a bare call in turn, median of ${options.rounds} rounds`,
  );
  for (const [name, call] of Object.entries(subjects)) {
    const samples: number[][] = [];
    for (let round = 0; round <= Number(options.rounds); round++) {
      const sample = await mediansMs(callBare, call);
      if (round > 0) samples.push(sample);
    }
    const [bareMs, ms] = [0, 1].map((place) => median(samples.map((sample) => sample[place]!)));
    const ratio = median(samples.map(([bare, subject]) => subject! / bare!));
    console.log(
      `  ${name.padEnd(10)}${ms!.toFixed(3)} ms, bare ${bareMs!.toFixed(3)} ms, ${ratio.toFixed(2)} x bare`,
    );
  }
  await Promise.all([session.close(), inWorker.close()]);
}

async function overHttp(): Promise<void> {
  console.log('\nover HTTP                     requests/s   p50 ms   p99 ms   rows a run');
  for (const [model, rowsMax, concurrency] of [
    ['cifar10', batchRowsMax, 1],
    ['cifar10', 1, clients],
    ['cifar10', batchRowsMax, clients],
    ['wide', batchRowsMax, 1],
    ['wide', 1, clients],
    ['wide', batchRowsMax, clients],
  ] as const) {
    const label = `${model}, ${concurrency} clients, ${rowsMax === 1 ? 'alone' : 'batching'}`;
    const child = spawn(
      process.execPath,
      [import.meta.filename, '--serve', String(rowsMax), '--model', model, '--threads', String(threads)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      const port = await portOf(child);
      const { requestsPerSecond, p50, p99 } = await load(port, model, concurrency);
      const rows = await meanRows(port);
      console.log(
        `${label.padEnd(30)}${requestsPerSecond.toFixed(0).padStart(10)}${p50.toFixed(2).padStart(9)}${p99.toFixed(2).padStart(9)}${rows.padStart(13)}`,
      );
    } finally {
      child.kill();
    }
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return Number(line.toString());
}

/** Keep-alive connections, each sending its next request when it has the answer; the warm-up is not counted. */
async function load(port: number, model: ModelName, concurrency: number) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
  const durationMs = Number(options.seconds) * 1000;
  const countFromMs = performance.now() + warmUpMs;
  const { body, headers } = requestOf(model);
  const target = { host: '127.0.0.1', port, path: pathOf(model), method: 'POST', agent, headers };
  const timesMs: number[] = [];
  const client = async () => {
    for (let beganMs = performance.now(); beganMs < countFromMs + durationMs; beganMs = performance.now()) {
      await send(target, body);
      if (beganMs >= countFromMs) timesMs.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  agent.destroy();
  timesMs.sort((a, b) => a - b);
  const at = (share: number) => timesMs[Math.floor(timesMs.length * share)]!;
  return { requestsPerSecond: timesMs.length / (durationMs / 1000), p50: at(0.5), p99: at(0.99) };
}

function send(target: http.RequestOptions, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request(target, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`the server answered ${response.statusCode}`));
      });
    });
    request.on('error', reject).end(body);
  });
}

async function meanRows(port: number): Promise<string> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const read = (name: string) => Number(new RegExp(`batch_rows_${name}\\{[^}]*\\} (\\d+)`).exec(text)?.[1]);
  const mean = read('sum') / read('count');
  return Number.isNaN(mean) ? '1' : mean.toFixed(1);
}

/** The median time of each call. They take turns, so that what else the machine does meets all alike. */
async function mediansMs(...calls: (() => Promise<unknown>)[]): Promise<number[]> {
  const timesMs = calls.map((): number[] => []);
  for (let i = 0; i < callsPerRound; i++) {
    for (const [place, call] of calls.entries()) {
      const beganMs = performance.now();
      await call();
      timesMs[place]!.push(performance.now() - beganMs);
    }
  }
  return timesMs.map(median);
}
