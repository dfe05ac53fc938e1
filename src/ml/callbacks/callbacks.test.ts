import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { kerasTraining } from '../fixtures/keras-training.ts';
import * as ml from '../index.ts';
import { reduceLrOnPlateau } from './reduce-lr-on-plateau.ts';

function makeModel(learningRate: number | ml.Schedule = 0.1) {
  const model = ml.sequential([ml.input([4]), ml.dense(3)], { threads: 1 });
  const loss = ml.sparseCategoricalCrossentropy({ fromLogits: true });
  model.compile({ optimizer: ml.sgd({ learningRate }), loss });
  return model;
}

const x = ml.tensor(
  Float32Array.from({ length: 40 }, (_, index) => Math.sin(index)),
  [10, 4],
);
const y = Array.from({ length: 10 }, (_, index) => index % 3);

const { figures, ...plateaus } = kerasTraining.plateau;
const plateauOptions: Record<keyof typeof plateaus, ml.ReduceLrOnPlateauOptions> = {
  patience: { patience: 2, factor: 0.5 },
  cooldown: { patience: 1, factor: 0.5, cooldown: 2, minLr: 0.2 },
  minDelta: { patience: 3, minDelta: 0.6 },
};

for (const [name, options] of Object.entries(plateauOptions)) {
  test(`reduceLrOnPlateau lowers the rate when Keras does: ${name}`, async () => {
    const model = {
      weights: new Float32Array(),
      learningRate: 1,
      stopTraining: false,
      weightsFile: () => new Uint8Array(),
    };
    const callback = reduceLrOnPlateau(options);
    await callback.onTrainBegin?.({ epochs: 1, examples: 1, batchSize: 1 }, model);
    for (const [epoch, figure] of figures.entries()) {
      await callback.onEpochEnd?.(epoch, { loss: 0, accuracy: 0, val_loss: figure });
      const expected = plateaus[name as keyof typeof plateaus][epoch]!;
      assert.ok(
        Math.abs(model.learningRate - expected) < 1e-6,
        `epoch ${epoch}: ${model.learningRate}, not ${expected}`,
      );
    }
  });
}

test('a rate set by a callback counts from the next epoch on, as if it had been the optimizer’s', async () => {
  const scheduled = makeModel(0.5);
  const rates: number[] = [];
  const callbacks = [
    ml.learningRateScheduler((epoch, rate) => (epoch === 0 ? rate : rate / 2)),
    ml.lambdaCallback({ onEpochEnd: () => void rates.push(scheduled.learningRate) }),
  ];
  await scheduled.fit(x, y, { epochs: 3, batchSize: 5, callbacks });
  assert.deepEqual(rates, [0.5, 0.25, 0.125]);
  const stepwise = makeModel(ml.piecewiseConstantDecay([1, 3], [0.5, 0.25, 0.125]));
  await stepwise.fit(x, y, { epochs: 3, batchSize: 5 });
  assert.deepEqual(scheduled.weights, stepwise.weights);
  await Promise.all([scheduled.close(), stepwise.close()]);
});

test('the rate of a schedule cannot be set', () => {
  const model = makeModel(ml.exponentialDecay(0.1, 10, 0.5));
  assert.throws(() => {
    model.learningRate = 1;
  }, /follows exponentialDecay: give the optimizer a number/);
});

test('terminateOnNaN ends a training that has run away', async () => {
  const model = makeModel(1e38);
  const history = await model.fit(x, y, { epochs: 50, batchSize: 2, callbacks: [ml.terminateOnNaN()] });
  assert.ok(history.loss.length < 50, `${history.loss.length} epochs`);
  assert.ok(!Number.isFinite(history.loss.at(-1)));
  await model.close();
});

test('csvLogger writes a line an epoch, modelCheckpoint the weights of the best', async (context) => {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-callbacks-'));
  context.after(() => rm(dir, { recursive: true }));
  const model = makeModel();
  const log = join(dir, 'log.csv');
  const best = ml.modelCheckpoint(join(dir, 'w-{epoch:02d}-{loss:.2f}.safetensors'), {
    monitor: 'loss',
    saveBestOnly: true,
  });
  const history = await model.fit(x, y, { epochs: 3, callbacks: [ml.csvLogger(log), best] });
  const [header, ...lines] = (await readFile(log, 'utf8')).trim().split('\n');
  assert.equal(header, 'epoch,accuracy,loss');
  assert.deepEqual(
    lines.map((line) => line.split(',').map(Number)),
    history.loss.map((loss, epoch) => [epoch, history.accuracy[epoch], loss]),
  );
  await model.fit(x, y, { epochs: 1, callbacks: [ml.csvLogger(log, { append: true })] });
  assert.equal((await readFile(log, 'utf8')).trim().split('\n').length, 5, 'one header, four epochs');

  const files = (await readdir(dir)).filter((name) => name.startsWith('w-')).sort();
  assert.deepEqual(
    files,
    history.loss.map((loss, epoch) => `w-0${epoch + 1}-${loss.toFixed(2)}.safetensors`),
  );
  const other = makeModel();
  ml.loadWeights(other, await readFile(join(dir, files[2]!)));
  assert.ok(Math.abs((await other.evaluate(x, y)).loss - (await model.evaluate(x, y)).loss) < 0.1);
  assert.notDeepEqual(other.weights, makeModel().weights);
  await Promise.all([model.close(), other.close()]);
});

test('stopTraining set in the middle of an epoch ends it there, and the epoch still counts', async () => {
  const model = makeModel();
  const wide = ml.tensor(new Float32Array(4 * 20_000).fill(0.5), [20_000, 4]);
  let ended = 0;
  const stopper: ml.Callback = {
    onBatchEnd: () => {
      model.stopTraining = true;
    },
    onEpochEnd: () => {
      ended += 1;
    },
  };
  await model.fit(wide, new Uint8Array(20_000), { epochs: 3, batchSize: 1, callbacks: [stopper] });
  assert.equal(ended, 1);
  await model.close();
});
