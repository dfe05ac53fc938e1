import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { Metrics } from '../base/metrics.ts';
import { dense, exportModel, input, sequential } from '../ml/index.ts';
import { withBatching } from './batching.ts';
import { type ModelRepository, openSingle } from './repository.ts';
import { createModelServer, type ModelServer } from './server.ts';
import { startSession } from './session.ts';
import { watchFolder } from './watch-folder.ts';

const waitMs = 60_000;
let folder: string;
let repository: ModelRepository;
let server: ModelServer;
let errors: string[];
let endWatch: () => void;

/** θ of the same graph whose outputs are all `value` for an input of ones. */
function weightsOf(value: number): Uint8Array {
  const model = sequential([input([4]), dense(3)], { seed: 1 });
  const { length } = model.weights;
  model.weights = Float32Array.from({ length }, (_, i) => (i < 12 ? value / 4 : 0));
  return exportModel(model).weights;
}

/** As an artifact's new blob arrives: whole, by rename. */
async function put(weights: Uint8Array): Promise<void> {
  await writeFile(join(folder, 'new'), weights);
  await rename(join(folder, 'new'), join(folder, 'weights.safetensors'));
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'theta-'));
  const { graph } = exportModel(sequential([input([4]), dense(3)], { seed: 1 }));
  await writeFile(join(folder, 'graph.onnx'), graph);
  await put(weightsOf(1));
  const metrics = new Metrics();
  const batching = { model: 'm', metrics, clock: systemClock, rowsMax: 8, latencyBudgetMs: 0 };
  const start = async (_name: string, onnx: Uint8Array) =>
    withBatching(await startSession({ onnx, threads: 1 }), batching);
  repository = openSingle({ name: 'm', version: '1', folder, start });
  await repository.load('m');
  server = createModelServer({ models: [], repository, metrics, version: '0' });
  errors = [];
  const onError = (message: string) => errors.push(message);
  endWatch = watchFolder({ repository, folder, clock: systemClock, intervalMs: 20, onError });
});

after(async () => {
  endWatch();
  await repository.close();
  await rm(folder, { recursive: true });
});

const body = JSON.stringify({
  inputs: [{ name: 'input', datatype: 'FP32', shape: [2, 4], data: Array(8).fill(1) }],
});

async function answerOf(): Promise<number> {
  const response = await server.fetch(new Request('http://m/v2/models/m/infer', { method: 'POST', body }));
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  const { data } = answer.outputs[0] as { data: number[] };
  // All of an answer is of one θ.
  for (const value of data) assert.ok(Math.abs(value - data[0]!) < 1e-5, `mixed: ${data}`);
  return Math.round(data[0]!);
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + waitMs;
  while (!(await holds())) {
    assert.ok(Date.now() < endMs, 'it did not come true in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('new weights go live in place: no request fails, none is mixed, none goes back to old weights', async () => {
  const digest = () => repository.loaded.get('m')!.settings!.weightsDigest;
  const before = digest();
  const seen: number[][] = [];
  let isOver = false;
  const client = async () => {
    const answers: number[] = [];
    seen.push(answers);
    while (!isOver) answers.push(await answerOf());
  };
  const clients = Array.from({ length: 8 }, client);
  for (const value of [2, 3, 4]) {
    await put(weightsOf(value));
    await until(async () => (await answerOf()) === value);
  }
  isOver = true;
  await Promise.all(clients);
  assert.notEqual(digest(), before);
  for (const answers of seen) {
    assert.ok(answers.length > 0);
    assert.deepEqual(
      answers,
      answers.toSorted((a, b) => a - b),
    );
  }
});

test('weights that are cut short, or of another model, are told once, and the old ones go on', async () => {
  const before = await answerOf();
  errors.length = 0;
  await put(weightsOf(9).subarray(0, 100));
  await until(() => errors.length > 0);
  assert.match(errors[0]!, /the new files are not served: can't load model "m": .*cut short/);
  const other = exportModel(sequential([input([5]), dense(3)], { seed: 1 })).weights;
  await put(other);
  await until(() => errors.length > 1);
  assert.match(errors[1]!, /needs "dense\/kernel" as F32 \[4, 3\]/);
  assert.equal(await answerOf(), before);
  assert.deepEqual(await repository.changed(), []);
  const refused = async () => {
    const response = await server.fetch(new Request('http://m/v2/models/m'));
    return ((await response.json()) as { parameters: { refused?: object } }).parameters.refused;
  };
  const digest = `sha256:${createHash('sha256').update(other).digest('hex')}`;
  const { reason } = (await repository.index())[0]!;
  assert.deepEqual(await refused(), { message: reason, weights: digest }, 'the metadata tell it');
  await put(weightsOf(5));
  await until(async () => (await answerOf()) === 5);
  assert.equal(await refused(), undefined);
});

test('what the system tells of is not waited for', async () => {
  endWatch();
  const onError = (message: string) => errors.push(message);
  endWatch = watchFolder({ repository, folder, clock: systemClock, intervalMs: 3_600_000, onError });
  for (const value of [6, 8]) {
    await put(weightsOf(value));
    await until(async () => (await answerOf()) === value);
  }
});

test('a load request reads the folder at once', async () => {
  await put(weightsOf(7));
  const load = new Request('http://m/v2/repository/models/m/load', { method: 'POST' });
  assert.equal((await server.fetch(load)).status, 200);
  assert.equal(await answerOf(), 7);
  const other = new Request('http://m/v2/repository/models/x/load', { method: 'POST' });
  assert.equal((await server.fetch(other)).status, 404);
});
