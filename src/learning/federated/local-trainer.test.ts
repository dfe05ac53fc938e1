import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Batch,
  dense,
  input,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  tensor,
} from '../../ml/index.ts';
import { randomGenerator } from '../../ml/random.ts';
import type { TrainingData } from '../trainer/training-data.ts';
import { dealtData } from './dealt-data.ts';
import { localTrainer } from './local-trainer.ts';
import { statusOf } from './progress.ts';
import { firstRound } from './rounds.ts';
import { settingsOf } from './settings.ts';

const random = randomGenerator(1);
const count = 120;
const x = tensor(Float32Array.from({ length: count * 2 }, random), [count, 2]);
const y = Int32Array.from({ length: count }, (_, row) => row % 3);
const data: TrainingData = {
  train: { x, y },
  test: { x, y },
  shape: [2],
  examples: count,
  classNames: ['a', 'b', 'c'],
  source: 'a test',
};

function network() {
  const model = sequential([input([2]), dense(3)], { seed: 1 });
  model.compile({
    optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  return model;
}

test('a round depends on its weights and its number alone, not on the rounds before it', async (t) => {
  const options = { data, epochs: 1, batchSize: 16, seed: 4 };
  const [one, other] = [network(), network()];
  t.after(() => Promise.all([one.close(), other.close()]));
  const start = one.weights.slice();
  const { signal } = new AbortController();
  const trainer = await localTrainer({ ...options, model: one });
  await trainer.train(start, 1, signal);
  const second = await trainer.train(start, 2, signal);
  const alone = await (await localTrainer({ ...options, model: other })).train(start, 2, signal);
  assert.deepEqual(second, alone);
  assert.notDeepEqual(second, await trainer.train(start, 3, signal));
});

test('it measures what it is given and says what its examples look like', async (t) => {
  const model = network();
  t.after(() => model.close());
  const trainer = await localTrainer({ model, data, epochs: 1, batchSize: 16, seed: 4 });
  const { examples, metrics } = await trainer.evaluate(model.weights.slice());
  assert.equal(examples, count);
  assert.ok(metrics.loss! > 0 && metrics.accuracy! >= 0);
  assert.deepEqual(trainer.form, { shape: [2], classNames: ['a', 'b', 'c'] });
  assert.equal(trainer.samples, count);
});

test('a streamed data set is counted, and each round goes on in its epochs', async (t) => {
  const passes: number[] = [];
  const streamed = {
    async *batches({ epoch }: { epoch: number }): AsyncGenerator<Batch> {
      passes.push(epoch);
      yield { x: tensor(x.data.slice(0, 20), [10, 2]), y: tensor(y.slice(0, 10), [10]) };
    },
  };
  const model = network();
  t.after(() => model.close());
  const streams = { ...data, train: streamed, examples: undefined };
  const trainer = await localTrainer({ model, data: streams, epochs: 2, batchSize: 10, seed: 4 });
  assert.equal(trainer.samples, 10);
  passes.length = 0;
  await trainer.train(model.weights.slice(), 3, new AbortController().signal);
  assert.deepEqual(passes, [4, 5]);
});

test('one data set dealt out gives each client its own part, and all the same test set', () => {
  for (const concentration of [undefined, 0.5]) {
    const parts = [0, 1, 2].map((index) => dealtData(data, { place: [index, 3], concentration, seed: 2 }));
    const total = parts.reduce((sum, { examples }) => sum + examples!, 0);
    assert.equal(total, count);
    assert.ok(parts.every(({ test }) => test === data.test));
  }
  const streamed = { ...data, train: { async *batches() {} } };
  assert.throws(
    () => dealtData(streamed, { place: [0, 2], concentration: undefined, seed: 1 }),
    /a folder of images cannot be dealt out/,
  );
});

test('the status tells rounds, who took part, and what privacy has cost', () => {
  const federated = { rounds: 10, clients: 2, clipNorm: 1, noiseMultiplier: 2, delta: 1e-5 };
  const settings = settingsOf(federated, { clientsExpected: 4, seed: 0 });
  const last = { round: 3, participants: 2, dropped: 1, late: 0, metrics: { loss: 1.5, accuracy: 0.4 } };
  const state = { ...firstRound, round: 4, last, refused: 1, privateRounds: 3 };
  const times = { startedMs: 0, nowMs: 30_000, firstRound: 1 };
  const { progress, federated: told } = statusOf(state, settings, times);
  assert.deepEqual(
    [progress?.epoch, progress?.epochs, progress?.etaSeconds, progress?.accuracy],
    [4, 10, 70, 0.4],
  );
  assert.deepEqual([told?.participants, told?.dropped, told?.refused, told?.delta], [2, 1, 1, 1e-5]);
  // Google's dp-accounting 0.6: half of the clients, three rounds.
  assert.ok(Math.abs(told!.epsilon! - 2.473172153117977) < 1e-6, `${told!.epsilon}`);
  const plain = settingsOf({ rounds: 10 }, { clientsExpected: 4, seed: 0 });
  assert.equal(statusOf(state, plain, times).federated?.epsilon, undefined);
});
