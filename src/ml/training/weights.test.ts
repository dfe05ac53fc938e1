import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KerasRun, kerasTraining } from '../fixtures/keras-training.ts';
import * as ml from '../index.ts';

const { training, data } = kerasTraining;
const x = ml.tensor(Float32Array.from(training.x), [8, 3]);

function makeModel(): ml.Sequential {
  const model = ml.sequential([ml.input([3]), ml.dense(3)], { threads: 1 });
  model.weights = Float32Array.from([...training.kernel, 0, 0, 0]);
  model.compile({
    optimizer: ml.sgd({ learningRate: 0.1 }),
    loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }),
    weightedMetrics: [ml.sparseCategoricalAccuracy({ name: 'weighted' })],
  });
  return model;
}

function assertSame(model: ml.Sequential, history: ml.History, expected: KerasRun): void {
  for (const [index, weight] of model.weights.entries())
    assert.ok(Math.abs(weight - expected.after[index]!) < 1e-6, `weight ${index}`);
  assert.deepEqual(Object.keys(history).sort(), Object.keys(expected.history).sort());
  for (const [name, figures] of Object.entries(expected.history)) {
    figures.forEach((figure, epoch) => {
      assert.ok(
        Math.abs(history[name]![epoch]! - figure) < 1e-6,
        `${name} of epoch ${epoch}: ${history[name]}`,
      );
    });
  }
}

const options = { epochs: 3, batchSize: 3, shuffle: false };
const classWeight = { 0: 0.5, 1: 2 };

test('class weights train as in Keras, and its metrics leave them out where Keras does', async () => {
  const model = makeModel();
  const history = await model.fit(x, training.classes, { ...options, classWeight });
  assertSame(model, history, training.classWeight);
  await model.close();
});

test('sample weights train as in Keras', async () => {
  const model = makeModel();
  const history = await model.fit(x, training.classes, { ...options, sampleWeight: data.weights });
  assertSame(model, history, training.sampleWeight);
  await model.close();
});

test('a data set trains as the same arrays do, with class weights and with weights of its own', async () => {
  const model = makeModel();
  const byClass = ml.fromTensors(x, training.classes).batch(3);
  assertSame(model, await model.fit(byClass, { epochs: 3, classWeight }), training.classWeight);
  const other = makeModel();
  const bySample = ml.fromTensors(x, training.classes, { sampleWeight: data.weights }).batch(3);
  assertSame(other, await other.fit(bySample, { epochs: 3 }), training.sampleWeight);
  await assert.rejects(
    other.fit(bySample, { classWeight }),
    /batch 0 .*has sample weights: give no classWeight/,
  );
  await Promise.all([model.close(), other.close()]);
});

test('weights that do not fit are refused', async () => {
  const model = makeModel();
  await assert.rejects(
    model.fit(x, training.classes, { sampleWeight: [1, 2] }),
    /fit got 8 examples but 2 sample weights/,
  );
  const both = { sampleWeight: data.weights, classWeight };
  await assert.rejects(model.fit(x, training.classes, both), /sampleWeight or classWeight, not both/);
  await model.close();
});

test('single values of a data set are trained on as those of an array are', async () => {
  const values = [0.5, 1.25, -0.75, 0.1];
  const few = ml.tensor(Float32Array.from(training.x.slice(0, 12)), [4, 3]);
  const losses = [];
  for (const isSet of [false, true]) {
    const model = ml.sequential([ml.input([3]), ml.dense(1)], { threads: 1, seed: 1 });
    model.compile({ optimizer: ml.sgd(), loss: ml.meanSquaredError() });
    const set = () => ml.fromTensors(few, values).batch(2);
    losses.push((await (isSet ? model.evaluate(set()) : model.evaluate(few, values, { batchSize: 2 }))).loss);
    await model.close();
  }
  assert.equal(losses[0], losses[1]);
});
