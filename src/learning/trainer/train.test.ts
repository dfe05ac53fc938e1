import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TrainingProgress } from '../../api/kinds/trainingJob.ts';
import type { TrainingJobSpec } from '../../api/parts/trainingJob.ts';
import { systemClock } from '../../base/clock.ts';
import { dense, flatten, input, rescaling, sequential, tensor, toJSON, writeNpz } from '../../ml/index.ts';
import type { TrainerJob } from './job.ts';
import { HopelessError, train } from './train.ts';

function place(t: TestContext) {
  const home = mkdtempSync(join(tmpdir(), 'selvage-train-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const folders = {
    data: join(home, 'data'),
    module: join(home, 'module'),
    checkpoints: join(home, 'checkpoints'),
  };
  for (const folder of [folders.data, folders.module]) mkdirSync(folder);
  return folders;
}

async function run(folders: ReturnType<typeof place>, spec: TrainingJobSpec, name = 'mine') {
  const job: TrainerJob = { namespace: 'default', name, uid: 'u1', spec };
  const [told, log] = [[] as TrainingProgress[], [] as string[]];
  const trained = await train(job, {
    folders,
    clock: systemClock,
    write: (text) => log.push(text),
    tell: (progress) => told.push(progress),
  });
  await trained.model.close();
  return { ...trained, told, log: log.join('') };
}

const keras = JSON.stringify(
  toJSON(sequential([input([2]), dense(8, { activation: 'relu' }), dense(2, { activation: 'softmax' })])),
);
const loss = { name: 'sparseCategoricalCrossentropy' as const };
const optimizer = { name: 'adam' as const, learningRate: 0.05 };
const base = { model: { keras }, loss, optimizer, epochs: 20, threads: 1 };

/** Which side of a half the first of two numbers is. */
function points(count: number) {
  const x = Float32Array.from({ length: 2 * count }, (_, i) => ((i * 37) % 100) / 100);
  const y = Int32Array.from({ length: count }, (_, row) => +(x[2 * row]! > 0.5));
  return { x: tensor(x, [count, 2]), y: tensor(y, [count]) };
}

test('arrays of NumPy are learned from, and a share of them measures the result', async (t) => {
  const folders = place(t);
  await writeNpz(join(folders.data, 'points.npz'), points(200));
  const dataset = { npz: { path: 'points.npz' }, testSplit: 0.25, validationSplit: 0.1 };
  const { data, metrics, told, log } = await run(folders, { ...base, dataset });
  assert.ok(metrics.accuracy! > 0.9, log);
  assert.deepEqual([data.examples, 'x' in data.test && data.test.x.shape[0]], [150, 50]);
  const last = told.at(-1)!;
  assert.deepEqual([last.epoch, last.epochs, last.step, last.steps], [20, 20, 100, 100]);
  assert.ok(last.metrics!.val_loss !== undefined);
});

test("Keras' archives bring their own test set", async (t) => {
  const folders = place(t);
  const [some, others] = [points(80), points(40)];
  await writeNpz(join(folders.data, 'mnist.npz'), {
    x_train: some.x,
    y_train: some.y,
    x_test: others.x,
    y_test: others.y,
  });
  const { data } = await run(folders, { ...base, epochs: 1, dataset: { npz: { path: 'mnist.npz' } } });
  assert.deepEqual([data.examples, 'x' in data.test && data.test.x.shape[0]], [80, 40]);
});

test('numbers are learned from a table, and metrics have the names of the specification', async (t) => {
  const folders = place(t);
  const rows = Array.from({ length: 100 }, (_, i) => `${i / 100},${i % 7},${(3 * i) / 100}`);
  writeFileSync(join(folders.data, 'prices.csv'), `size,floor,price\n${rows.join('\n')}\n`);
  const { metrics, data } = await run(folders, {
    ...base,
    dataset: {
      csv: { path: 'prices.csv', label: 'price', labelKind: 'value', features: ['size'] },
      testSplit: 0.2,
    },
    model: { keras: JSON.stringify(toJSON(sequential([input([1]), dense(1)]))) },
    loss: { name: 'meanSquaredError' },
    metrics: ['mae', 'rootMeanSquaredError'],
    epochs: 60,
  });
  assert.deepEqual(Object.keys(metrics), ['loss', 'mae', 'rootMeanSquaredError']);
  assert.ok(metrics.mae! < 0.3, JSON.stringify(metrics));
  assert.equal(data.classNames, undefined);
});

test("a module's model sees the shape of the data and the classes, and shares this very library", async (t) => {
  const folders = place(t);
  mkdirSync(join(folders.module, 'app'));
  writeFileSync(
    join(folders.module, 'app', 'model.ts'),
    `import { dense, flatten, input, rescaling, sequential } from 'selvage/ml';
     export default ({ shape, classNames, seed }: { shape: number[]; classNames: string[]; seed: number }) =>
       sequential([input(shape, { dtype: 'uint8' }), rescaling(1 / 255), flatten(), dense(classNames.length)], { seed });`,
  );
  const { model, data } = await run(folders, {
    ...base,
    dataset: { generated: { train: 64, test: 32 } },
    model: { module: { image: 'net:1' } },
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    epochs: 1,
  });
  assert.deepEqual(model.architecture.input.shape, [32, 32, 3]);
  assert.equal(data.classNames?.length, 10);
});

test('pixels become numbers for a model that takes numbers', async (t) => {
  const model = sequential([
    input([32, 32, 3]),
    rescaling(1 / 255),
    flatten(),
    dense(10, { activation: 'softmax' }),
  ]);
  const dataset = { generated: { train: 64, test: 32 } };
  const { metrics } = await run(place(t), {
    ...base,
    dataset,
    model: { keras: JSON.stringify(toJSON(model)) },
    epochs: 1,
  });
  assert.ok(metrics.loss! > 0);
});

test('a second run of a job goes on where the first one ended, a job of another name begins', async (t) => {
  const folders = place(t);
  await writeNpz(join(folders.data, 'points.npz'), points(200));
  const spec = {
    ...base,
    dataset: { npz: { path: 'points.npz' }, testSplit: 0.2 },
    checkpoint: { everyBatches: 2 },
  };
  const first = await run(folders, { ...spec, epochs: 3 });
  assert.deepEqual(readdirSync(folders.checkpoints), ['mine-u1']);
  const resumed = await run(folders, { ...spec, epochs: 6 });
  assert.match(resumed.log, /^going on from the checkpoint of step 15$/m);
  assert.ok(resumed.told.every(({ epoch, resumedFromStep }) => epoch! > 3 && resumedFromStep === 15));
  const whole = await run(folders, { ...spec, epochs: 6 }, 'other');
  assert.deepEqual(resumed.model.weights, whole.model.weights);
  assert.notDeepEqual(first.model.weights, whole.model.weights);
  assert.doesNotMatch(whole.log, /going on/);
});

test('what can never be learned is said so, with the field or the file', async (t) => {
  const folders = place(t);
  await writeNpz(join(folders.data, 'points.npz'), points(20));
  const dataset = { npz: { path: 'points.npz' }, testSplit: 0.2 };
  const cases: [Partial<TrainingJobSpec>, RegExp][] = [
    [{ dataset: { npz: { path: '../outside.npz' } } }, /must be a path below the volume/],
    [{ dataset: { npz: { path: 'absent.npz' } } }, /absent\.npz/],
    [{ dataset: { npz: { path: 'points.npz', x: 'images' } } }, /has no array "images"; it has x, y/],
    [{ dataset: { ...dataset, testSplit: 0 } }, /testSplit: Invalid value: 0: of 20 examples it leaves 20/],
    [{ model: { keras: '{"class_name":"Odd"}' } }, /^HopelessError.*spec\.model\.keras/s],
    [{ model: { module: { image: 'a', path: 'app/absent.ts' } } }, /the image has no app\/absent\.ts/],
    [
      { model: { keras, labels: ['a'] } },
      /spec\.model\.labels: Invalid value: 1 names: the model has 2 outputs/,
    ],
    [{ model: { keras, preprocess: [{ op: 'odd' }] } }, /spec\.model\.preprocess/],
    [
      { model: { keras: JSON.stringify(toJSON(sequential([input([3]), dense(2)]))) } },
      /the model takes \[N, 3\]/,
    ],
    [{ optimizer: { name: 'sgd', learningRate: 1e30 } }, /the loss is no number any more/],
    [
      { optimizer: { name: 'adam', clipnorm: 1, globalClipnorm: 1 } },
      /only one of clipnorm and globalClipnorm/,
    ],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(run(folders, { ...base, dataset, ...change }), (error: Error) => {
      assert.ok(error instanceof HopelessError, String(error.stack));
      assert.match(`HopelessError: ${error.message}`, message);
      return true;
    });
  }
});
