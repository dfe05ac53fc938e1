import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import * as ml from '../index.ts';
import { randomGenerator } from '../random.ts';

const script = new URL('./interrupted-training.ts', import.meta.url).pathname;

async function folder(context: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-checkpoint-'));
  context.after(() => rm(dir, { recursive: true }));
  return dir;
}

const checkpointsIn = async (dir: string): Promise<string[]> =>
  (await readdir(dir)).filter((name) => name.startsWith('checkpoint-')).sort();

/** Runs the training until it ends or, where `kill` resolves before, until then. */
async function run(dir: string, kill?: () => Promise<void>): Promise<boolean> {
  const child = spawn(process.execPath, [script, dir], { stdio: 'inherit' });
  const exit = once(child, 'exit');
  if (kill) await Promise.race([kill(), exit]);
  if (kill) child.kill('SIGKILL');
  const [code, signal] = await exit;
  assert.ok(code === 0 || signal === 'SIGKILL', `the training ended with ${code ?? signal}`);
  return code === 0;
}

/** Waits until the folder holds a checkpoint that it did not hold, then a little longer. */
async function untilNewCheckpoint(dir: string, laterMs: number): Promise<void> {
  const before = await checkpointsIn(dir);
  const deadlineMs = performance.now() + 60_000;
  while ((await checkpointsIn(dir)).at(-1) === before.at(-1)) {
    assert.ok(performance.now() < deadlineMs, 'no checkpoint came in 60 s');
    await wait(1);
  }
  await wait(laterMs);
}

test('a training killed again and again gives, to the last bit, what one that ran through gives', async (context) => {
  const seed = Date.now() % 2 ** 31;
  context.diagnostic(`seed ${seed}`);
  const random = randomGenerator(seed);
  const [whole, cut] = [await folder(context), await folder(context)];
  await run(whole);
  let kills = 0;
  while (!(await run(cut, kills < 4 ? () => untilNewCheckpoint(cut, random() * 30) : undefined))) kills += 1;
  context.diagnostic(`killed ${kills} times`);
  assert.ok(kills > 0, 'the training was never killed');
  assert.ok(existsSync(join(cut, 'result.json')));
  const [expected, result] = await Promise.all(
    [whole, cut].map(async (dir) => JSON.parse(await readFile(join(dir, 'result.json'), 'utf8'))),
  );
  assert.deepEqual(result, expected);
  assert.equal((await checkpointsIn(cut)).length, 2, 'a bounded number is kept');
});

/** A training so small that only the files take time. */
function tiny(): { model: ml.Sequential; x: ml.Tensor; y: number[] } {
  const model = ml.sequential([ml.input([4]), ml.dense(3)], { threads: 1 });
  const loss = ml.sparseCategoricalCrossentropy({ fromLogits: true });
  model.compile({ optimizer: ml.adam(), loss });
  const x = ml.tensor(
    Float32Array.from({ length: 40 }, (_, index) => Math.sin(index)),
    [10, 4],
  );
  return { model, x, y: Array.from({ length: 10 }, (_, index) => index % 3) };
}

test('a training that ended is not done again, and goes on when it gets more epochs', async (context) => {
  const checkpoint = { dir: await folder(context) };
  const { model, x, y } = tiny();
  await model.fit(x, y, { epochs: 2, checkpoint });
  const again = tiny().model;
  const history = await again.fit(x, y, { epochs: 2, checkpoint });
  assert.deepEqual(again.weights, model.weights);
  assert.equal(history.loss.length, 2, 'the history is that of the first run');
  const longer = await again.fit(x, y, { epochs: 5, checkpoint });
  const { model: straight } = tiny();
  assert.deepEqual(await straight.fit(x, y, { epochs: 5 }), longer);
  assert.deepEqual(straight.weights, again.weights);
  await Promise.all([model, again, straight].map((one) => one.close()));
});

test('a training on a shuffled, changed data set goes on in the middle of an epoch to the same bits', async (context) => {
  const { model: whole, x, y } = tiny();
  const noisy = (
    { x: { dtype, shape, data }, ...rest }: ml.Example,
    { random }: ml.MapContext,
  ): ml.Example => ({
    ...rest,
    x: { dtype, shape, data: Float32Array.from(data as Float32Array, (value) => value + random()) },
  });
  const dataset = ml.fromTensors(x, y).repeat(50).shuffle(20, { seed: 2 }).map(noisy).batch(2).prefetch(2);
  const expected = await whole.fit(dataset, { epochs: 3 });
  const checkpoint = { dir: await folder(context), everyBatches: 7 };
  const { model: cut } = tiny();
  const abort = new AbortController();
  const aborter = { onEpochEnd: () => abort.abort() };
  await cut.fit(dataset, { epochs: 3, checkpoint, callbacks: [aborter], signal: abort.signal });
  assert.ok(cut.weights.some((weight, index) => weight !== whole.weights[index]));
  const { model: again } = tiny();
  // The file of the whole epoch is lost, so that an older one, of batch 245 of 250, must do.
  await rm(join(checkpoint.dir, (await checkpointsIn(checkpoint.dir)).at(-1)!));
  assert.match((await checkpointsIn(checkpoint.dir)).at(-1)!, /0000000245/);
  assert.deepEqual(await again.fit(dataset, { epochs: 3, checkpoint }), expected);
  assert.deepEqual(again.weights, whole.weights);
  await Promise.all([whole, cut, again].map((one) => one.close()));
});

test('what a callback has ended stays ended', async (context) => {
  const checkpoint = { dir: await folder(context) };
  const stopper = (model: ml.Sequential): ml.Callback => ({
    onEpochEnd: () => {
      model.stopTraining = true;
    },
  });
  const { model, x, y } = tiny();
  await model.fit(x, y, { epochs: 9, checkpoint, callbacks: [stopper(model)] });
  const { model: again } = tiny();
  const history = await again.fit(x, y, { epochs: 9, checkpoint, callbacks: [stopper(again)] });
  assert.equal(history.loss.length, 1);
  await Promise.all([model.close(), again.close()]);
});

test('a checkpoint of another training, or a damaged one, is refused with what is wrong', async (context) => {
  const dir = await folder(context);
  const { model, x, y } = tiny();
  await model.fit(x, y, { checkpoint: { dir } });
  const refused = (options: ml.FitOptions, message: RegExp) =>
    assert.rejects(model.fit(x, y, { checkpoint: { dir }, ...options }), message);
  await refused(
    { batchSize: 5 },
    /Cannot go on from .*checkpoint-0000000001\.safetensors: it is of a training with batchSize 32, this one has 5/,
  );
  await refused({ checkpoint: { dir, keep: 0 } }, /keep must be a whole number above 0, got 0/);
  await refused({ checkpoint: { dir, everyBatches: 0.5 } }, /everyBatches must be a whole number above 0/);
  const [name] = await checkpointsIn(dir);
  const bytes = await readFile(join(dir, name!));
  await writeFile(join(dir, name!), bytes.subarray(0, 300));
  await refused({}, /Cannot go on from .*: These 300 bytes are not a safetensors file/);
  await model.close();
});

test('what was left half written is removed', async (context) => {
  const dir = await folder(context);
  await writeFile(join(dir, '.checkpoint-0000000007.safetensors.tmp'), 'half');
  const { model, x, y } = tiny();
  await model.fit(x, y, { epochs: 4, checkpoint: { dir, keep: 3 } });
  assert.deepEqual(await readdir(dir), await checkpointsIn(dir));
  assert.equal((await checkpointsIn(dir)).length, 3);
  await model.close();
});
