import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import * as ml from '../index.ts';
import { decodeModel } from '../onnx/codec.ts';
import { randomGenerator } from '../random.ts';

const steps = 60;
const random = randomGenerator(4);
const noise = (shape: number[]) =>
  ml.tensor(
    Float32Array.from({ length: shape.reduce((size, dim) => size * dim) }, () => random() * 2 - 1),
    shape,
  );
const x = noise([4, steps, 3]);
const y = noise([4, 2]);

const layers: Record<string, ml.Layer> = {
  'LSTM backwards': ml.lstm(5, { goBackwards: true }),
  'LSTM, all steps backwards': ml.lstm(5, { goBackwards: true, returnSequences: true }),
  GRU: ml.gru(5),
  'GRU, reset before, no bias': ml.gru(5, { resetAfter: false, useBias: false }),
  'GRU, relu': ml.gru(5, { activation: 'relu', recurrentActivation: 'softplus' }),
  'SimpleRNN, all steps': ml.simpleRNN(5, { returnSequences: true }),
  'LSTM of an activation that no operator has': ml.lstm(5, { activation: 'gelu' }),
  Bidirectional: ml.bidirectional(ml.gru(3, { returnSequences: true }), { mergeMode: 'sum' }),
};

function network(layer: ml.Layer): ml.TrainableModel {
  const inputs = ml.input([steps, 3]);
  const outputs = ml.dense(2).apply(ml.flatten().apply(layer.apply(inputs)));
  const model = ml.model({ inputs, outputs, seed: 2, threads: 1 });
  model.compile({
    optimizer: ml.sgd({ learningRate: 0 }),
    loss: ml.meanSquaredError(),
    metrics: [],
  });
  return model;
}

for (const [name, layer] of Object.entries(layers)) {
  test(`${name}: a long sequence gives the same trained by a loop, evaluated and exported`, async () => {
    const model = network(layer);
    const { loss } = await model.evaluate(x, y);
    const history = await model.fit(x, y, { epochs: 1 });
    assert.ok(Math.abs(history.loss[0]! - loss) < 1e-5, `${history.loss[0]}, not ${loss}`);
    const predicted = await model.predict(x);
    const exported = ml.exportModel(model);
    const session = await ort.InferenceSession.create(ml.bake(exported.graph, exported.weights));
    const feeds = { input: new ort.Tensor('float32', x.data as Float32Array, x.shape) };
    const answer = (await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array;
    predicted.data.forEach((value, index) => {
      assert.ok(Math.abs(Number(value) - answer[index]!) < 1e-5, `${answer[index]}, not ${value}`);
    });
    await session.release();
    await model.close();
  });
}

test('masked steps of a long sequence keep the state, whatever the others hold', async () => {
  const inputs = ml.input([steps], { dtype: 'int32' });
  const embedded = ml.embedding(6, 3, { maskZero: true }).apply(inputs);
  const model = ml.model({ inputs, outputs: ml.dense(2).apply(ml.lstm(4).apply(embedded)), threads: 1 });
  const ids = Array.from({ length: steps }, (_, step) => (step < 20 ? 1 + (step % 5) : 0));
  const spread = Array.from({ length: steps }, (_, step) => (step % 3 === 1 ? ids[(step - 1) / 3]! : 0));
  const predicted = await model.predict(ml.tensor(Int32Array.from([...ids, ...spread]), [2, steps]));
  const [a, b, c, d] = predicted.data as Float32Array;
  assert.ok(Math.abs(a! - c!) < 1e-6 && Math.abs(b! - d!) < 1e-6, `${[a, b]} against ${[c, d]}`);
  await model.close();
});

test('the file of a recurrent layer is as large for a thousand steps as for one hundred', () => {
  const nodesOf = (length: number, layer: ml.Layer) => {
    const model = ml.sequential([ml.input([length, 2]), layer, ml.dense(1)]);
    return decodeModel(ml.exportModel(model).graph).graph!.node!.map(({ opType }) => opType!);
  };
  for (const [operator, layer] of [
    ['LSTM', ml.lstm(3)],
    ['GRU', ml.gru(3)],
    ['RNN', ml.simpleRNN(3)],
    ['Scan', ml.lstm(3, { activation: 'silu' })],
  ] as const) {
    const nodes = nodesOf(1000, layer);
    assert.deepEqual(nodes, nodesOf(100, layer));
    assert.equal(nodes.filter((node) => node === operator).length, 1, operator);
  }
});

test('a sequence of four hundred steps is learned from', async () => {
  const [count, length] = [32, 400];
  const signs = Array.from({ length: count }, (_, row) => (row % 2 === 0 ? 1 : -1));
  const data = Float32Array.from({ length: count * length }, (_, index) => {
    return 0.5 * signs[Math.floor(index / length)]! + random() - 0.5;
  });
  const model = ml.sequential([ml.input([length, 1]), ml.gru(4), ml.dense(1)], { seed: 1, threads: 1 });
  model.compile({ optimizer: ml.adam({ learningRate: 0.05 }), loss: ml.meanSquaredError(), metrics: [] });
  const { loss } = await model.fit(ml.tensor(data, [count, length, 1]), signs, { epochs: 12, batchSize: 16 });
  await model.close();
  assert.ok(loss.at(-1)! < loss[0]! / 3, `${loss}`);
});
