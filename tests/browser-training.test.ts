// The training step is one ONNX graph: the file that Node runs is run by a browser too, with the same losses.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  adam,
  conv2d,
  dense,
  flatten,
  input,
  maxPool2d,
  nodeRuntime,
  rescaling,
  sequential,
  sparseCategoricalCrossentropy,
  syntheticImages,
  type Tensor,
  tensor,
} from '../src/ml/index.ts';
import { objectiveOf } from '../src/ml/losses/objective.ts';
import { trainProgram } from '../src/ml/programs.ts';
import { root } from './shell.ts';

const client = join(root, 'tests', 'clients', 'web');
const library = join(client, 'node_modules', 'onnxruntime-web', 'dist');
const batchSize = 8;
const stepCount = 6;
const browserStartMaxMs = 120_000;

type Feeds = Record<string, Tensor>;

interface Training {
  graph: Uint8Array;
  state: Feeds;
  slots: readonly string[];
  /** What each step takes besides the state. */
  steps: Feeds[];
}

interface Result {
  losses: number[];
  weights: number[];
  error?: string;
}

test('a browser trains by the same graph, to the same losses', {
  skip: absent(),
  timeout: 600_000,
}, async (t) => {
  const training = prepare();
  const expected = await trainInNode(training);
  const result = await trainInBrowser(t, training);
  assert.equal(result.error, undefined);
  assert.equal(result.losses.length, stepCount);
  assertClose(result.losses, expected.losses);
  assertClose(result.weights, expected.weights);
  assert.ok(expected.losses.at(-1)! < expected.losses[0]!, `it learns: ${expected.losses}`);
});

/** A small network in the form of the article's, and batches of generated images. */
function prepare(): Training {
  const model = sequential(
    [
      input([32, 32, 3], { dtype: 'uint8' }),
      rescaling(1 / 255),
      conv2d(8, 3, { activation: 'relu' }),
      maxPool2d(2),
      conv2d(8, 3, { activation: 'relu' }),
      maxPool2d(2),
      flatten(),
      dense(10),
    ],
    { seed: 2 },
  );
  const optimizer = adam({ learningRate: 0.01 });
  const loss = sparseCategoricalCrossentropy({ fromLogits: true });
  const { bytes } = trainProgram(model.architecture, objectiveOf(model.architecture, loss), optimizer, 2);
  const { images, labels } = syntheticImages({ train: batchSize, test: 1 }).train;
  const zeros = () => tensor(new Float32Array(model.weights.length), [model.weights.length]);
  return {
    graph: bytes,
    slots: optimizer.slots,
    state: {
      weights: tensor(model.weights, [model.weights.length]),
      ...Object.fromEntries(optimizer.slots.map((name) => [name, zeros()])),
    },
    steps: Array.from({ length: stepCount }, (_, iteration) => ({
      x: images,
      y: tensor(Int32Array.from(labels), [batchSize]),
      sample_weight: tensor(new Float32Array(batchSize).fill(1), [batchSize]),
      iteration: tensor(Float32Array.of(iteration + 1), []),
      learning_rate: tensor(Float32Array.of(0.01), []),
    })),
  };
}

async function trainInNode({ graph, state, slots, steps }: Training): Promise<Result> {
  const session = await nodeRuntime.open(graph, { threads: 1 });
  const losses: number[] = [];
  let kept = state;
  for (const step of steps) {
    const outputs = await session.run({ ...kept, ...step });
    losses.push(Number(outputs.loss!.data[0]));
    kept = Object.fromEntries(['weights', ...slots].map((name) => [name, outputs[`next_${name}`]!]));
  }
  await session.release();
  return { losses, weights: Array.from(kept.weights!.data, Number) };
}

/** Serves the page on loopback, opens it in headless Chromium, and waits for what it posts. */
async function trainInBrowser(t: TestContext, training: Training): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const server = createServer((request, response) => {
    serve(request, response, training).then((result) => result && resolve(result), reject);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const profile = await mkdtemp(join(tmpdir(), 'selvage-chromium-'));
  const { port } = server.address() as AddressInfo;
  const browser = spawn(
    'chromium',
    [
      '--headless',
      // Chromium refuses its sandbox to root; the page is our own.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      `--user-data-dir=${profile}`,
      '--remote-debugging-port=0',
      `http://127.0.0.1:${port}/train.html`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  let said = '';
  browser.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-4000);
  });
  browser.on('error', reject);
  browser.on('exit', (code) => reject(new Error(`Chromium ended with code ${code}: ${said}`)));
  const timer = setTimeout(
    () => reject(new Error(`No result within ${browserStartMaxMs} ms; Chromium said: ${said}`)),
    browserStartMaxMs,
  );
  t.after(async () => {
    clearTimeout(timer);
    server.closeAllConnections();
    server.close();
    // Its helpers are in the same process group.
    if (browser.pid && browser.exitCode === null) {
      process.kill(-browser.pid, 'SIGKILL');
      await once(browser, 'exit');
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  return promise;
}

const types: Record<string, string> = { html: 'text/html', mjs: 'text/javascript', wasm: 'application/wasm' };

/** Gives the page's files; returns what the page posts. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { graph, ...rest }: Training,
): Promise<Result | undefined> {
  const { pathname } = new URL(request.url!, 'http://localhost');
  if (request.method === 'POST') {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    response.end();
    return JSON.parse(Buffer.concat(chunks).toString());
  }
  if (pathname === '/train.onnx') response.end(graph);
  else if (pathname === '/steps.json') response.end(JSON.stringify(rest, plainArrays));
  else {
    const file = join(pathname.startsWith('/ort/') ? library : client, basename(pathname));
    if (!existsSync(file)) response.writeHead(404).end();
    else {
      response.setHeader('content-type', types[file.slice(file.lastIndexOf('.') + 1)] ?? 'text/plain');
      createReadStream(file).pipe(response);
    }
  }
  return undefined;
}

const plainArrays = (_key: string, value: unknown): unknown =>
  ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;

function assertClose(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, index) => {
    const off = Math.abs(value - expected[index]!);
    assert.ok(
      off <= 1e-4 * Math.max(1, Math.abs(expected[index]!)),
      `${index}: ${value}, in Node ${expected[index]}`,
    );
  });
}

/** Why the test can't run here; in CI a missing browser is a failure. */
function absent(): string | false {
  const missing = [
    ...(spawnSync('which', ['chromium']).status === 0 ? [] : ['chromium']),
    ...(existsSync(library) ? [] : ['onnxruntime-web']),
  ];
  if (missing.length === 0) return false;
  assert.ok(!process.env.CI, `CI needs ${missing.join(', ')}`);
  return `not installed: ${missing.join(', ')}`;
}
