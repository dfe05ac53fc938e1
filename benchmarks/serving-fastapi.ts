/*
 * Throughput of the model server under 32 concurrent clients against FastAPI + onnxruntime on the same model file (the CIFAR-10
 * network), one image a request, the same load generator, in turn. FastAPI gets the image's bare bytes and answers bare
 * bytes, with one process and with two; the model server takes the protocol's binary tensors.
 * Run: node benchmarks/serving-fastapi.ts --python PYTHON [--seconds N] [--rounds N], where PYTHON is one that has fastapi,
 * uvicorn[standard], onnxruntime and numpy: python3 -m venv /tmp/fastapi && /tmp/fastapi/bin/pip install fastapi 'uvicorn[standard]' onnxruntime numpy
 * With --tensorflow, which needs keras and tensorflow too, FastAPI also runs the same network in TensorFlow.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cifar10Network } from '../src/cli/training/network.ts';
import { exportModel } from '../src/ml/index.ts';
import { bake } from '../src/ml/portable.ts';
import { median } from './median.ts';
import { Connection } from './serving/connection.ts';

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '1' },
    tensorflow: { type: 'boolean', default: false },
  },
});
if (!options.python)
  throw new Error('--python PYTHON is needed: one that has fastapi, uvicorn and onnxruntime');
const python = options.python;
const clients = 32;
const warmUpMs = 1000;
const port = 19_400 + (process.pid % 500);
const folder = await mkdtemp(join(tmpdir(), 'serving-fastapi-'));
const { graph, weights } = exportModel(cifar10Network(1));
const file = join(folder, 'model.onnx');
await writeFile(file, bake(graph, weights));

const image = Buffer.from(Uint8Array.from({ length: 3072 }, (_, i) => (i * 31) % 256));
const head = JSON.stringify({
  inputs: [
    {
      name: 'input',
      datatype: 'UINT8',
      shape: [1, 32, 32, 3],
      parameters: { binary_data_size: image.length },
    },
  ],
  parameters: { binary_data_output: true },
});

interface Subject {
  name: string;
  start(): ChildProcess;
  path: string;
  body: Buffer;
  headers: Record<string, string>;
}

const fastApi = (engine: 'onnxruntime' | 'tensorflow', workers: number): Subject => ({
  name: `FastAPI + ${engine}, ${workers} process${workers > 1 ? 'es' : ''}`,
  start: () =>
    spawn(
      python,
      [
        new URL('serving-fastapi.py', import.meta.url).pathname,
        engine === 'tensorflow' ? engine : file,
        String(port),
        options.threads,
        String(workers),
      ],
      {
        env: { TF_CPP_MIN_LOG_LEVEL: '3', ...process.env },
        stdio: ['ignore', 'ignore', 'inherit'],
        detached: true,
      },
    ),
  path: '/infer',
  body: image,
  headers: { 'content-type': 'application/octet-stream' },
});
const selvage: Subject = {
  name: 'model server',
  start: () =>
    spawn(process.execPath, [new URL('../src/serving/main.ts', import.meta.url).pathname], {
      env: {
        ...process.env,
        SELVAGE_MOUNTS: JSON.stringify({ '/mnt/models': folder }),
        PORT: String(port),
        GRPC_PORT: '0',
        THREADS: options.threads,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    }),
  path: '/v2/models/model/infer',
  body: Buffer.concat([Buffer.from(head), image]),
  headers: { 'inference-header-content-length': String(head.length) },
};

const rates = new Map<string, { perSecond: number; cpuMs: number; p50: number; p99: number }[]>();
const engines = options.tensorflow ? (['onnxruntime', 'tensorflow'] as const) : (['onnxruntime'] as const);
const subjects = [selvage, ...engines.flatMap((engine) => [fastApi(engine, 1), fastApi(engine, 2)])];
for (let round = 0; round < Number(options.rounds); round++) {
  for (const subject of subjects) {
    const child = subject.start();
    try {
      await untilReady(subject);
      rates.set(subject.name, [...(rates.get(subject.name) ?? []), await load(subject, child.pid!)]);
    } finally {
      // Its own group: two processes of one FastAPI.
      process.kill(-child.pid!, 'SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    }
  }
}
await rm(folder, { recursive: true });
console.log(
  `${clients} clients, one image a request, ${options.threads} threads a run, median of ${options.rounds} rounds`,
);
const of = (name: string, key: 'perSecond' | 'cpuMs' | 'p50' | 'p99') =>
  median(rates.get(name)!.map((rate) => rate[key]));
for (const { name } of subjects) {
  const ratio = median(
    rates.get(selvage.name)!.map(({ perSecond }, i) => perSecond / rates.get(name)![i]!.perSecond),
  );
  console.log(
    `${name.padEnd(36)}${of(name, 'perSecond').toFixed(0).padStart(7)}/s  ${of(name, 'cpuMs').toFixed(2)} ms CPU each  p50 ${of(name, 'p50').toFixed(1)} ms  p99 ${of(name, 'p99').toFixed(1)} ms  model server is ${ratio.toFixed(2)} x`,
  );
}

async function untilReady(subject: Subject): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    try {
      await send(subject, new http.Agent());
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`${subject.name} did not start`);
}

async function load(subject: Subject, group: number) {
  const cpuBeforeMs = cpuMsOf(group);
  let answered = 0;
  const countFromMs = performance.now() + warmUpMs;
  const durationMs = Number(options.seconds) * 1000;
  const timesMs: number[] = [];
  const client = async () => {
    const connection = await Connection.open(port, subject);
    for (let beganMs = performance.now(); beganMs < countFromMs + durationMs; beganMs = performance.now()) {
      await connection.ask();
      answered += 1;
      if (beganMs >= countFromMs) timesMs.push(performance.now() - beganMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: clients }, client));
  timesMs.sort((a, b) => a - b);
  const at = (share: number) => timesMs[Math.floor(timesMs.length * share)]!;
  const cpuMs = (cpuMsOf(group) - cpuBeforeMs) / answered;
  return { perSecond: timesMs.length / (durationMs / 1000), cpuMs, p50: at(0.5), p99: at(0.99) };
}

/** The processor time of a process group so far; on a busy machine it says more than the rate. Source: proc(5), stat. */
function cpuMsOf(group: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks * 10;
}

function send({ path, body, headers }: Subject, agent: http.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const all = { ...headers, 'content-length': String(body.length) };
    const request = http.request(
      { host: '127.0.0.1', port, path, method: 'POST', agent, headers: all },
      (response) => {
        response.resume().on('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`answered ${response.statusCode}`));
        });
      },
    );
    request.on('error', reject).end(body);
  });
}
