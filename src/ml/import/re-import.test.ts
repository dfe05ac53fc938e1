import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ml from '../index.ts';
import { randomGenerator } from '../random.ts';

const [batch, steps, channels, units] = [4, 6, 2, 4];
const random = randomGenerator(20261124);
const noise = (shape: number[]) =>
  ml.tensor(
    Float32Array.from({ length: shape.reduce((size, dim) => size * dim, 1) }, () => random() * 2 - 1),
    shape,
  );

function network(middle: (x: ml.Input) => ml.SymbolicTensor): ml.TrainableModel {
  const inputs = ml.input([steps, channels]);
  const outputs = ml.dense(1).apply(ml.flatten().apply(middle(inputs)));
  return ml.model({ inputs, outputs, threads: 1, seed: 3 });
}

const bytesOf = (model: ml.TrainableModel): Uint8Array => {
  const { graph, weights } = ml.exportModel(model);
  return ml.bake(graph, weights);
};

const applied = (layer: ml.Layer) => (x: ml.Input) => layer.apply(x);

const middles: Record<string, (x: ml.Input) => ml.SymbolicTensor> = {
  LSTM: applied(ml.lstm(units)),
  'LSTM backwards without bias': applied(
    ml.lstm(units, { goBackwards: true, returnSequences: true, useBias: false }),
  ),
  'LSTM of an activation that no operator has, step by step': applied(ml.lstm(units, { activation: 'silu' })),
  GRU: applied(ml.gru(units, { returnSequences: true })),
  'GRU, reset before': applied(ml.gru(units, { resetAfter: false, biasInitializer: ml.constant(0.3) })),
  SimpleRNN: applied(ml.simpleRNN(units, { activation: 'relu' })),
  'Bidirectional LSTM': applied(ml.bidirectional(ml.lstm(units, { returnSequences: true }))),
  LayerNormalization: applied(ml.layerNormalization()),
  'Multi-head attention': (x) => ml.multiHeadAttention(2, 2).apply(x, x),
};

for (const [name, middle] of Object.entries(middles)) {
  test(`${name}: the exported file, imported again, is trained on as the model itself`, async () => {
    const [x, y] = [noise([batch, steps, channels]), noise([batch, 1])];
    const original = network(middle);
    const imported = ml.importOnnx(bytesOf(original)).model({ threads: 1 });
    assert.equal(imported.weights.length, original.weights.length);
    const assertAlike = async (when: string) => {
      const [ours, theirs] = [await imported.predict(x), await original.predict(x)];
      ours.data.forEach((value, index) => {
        const off = Math.abs(Number(value) - Number(theirs.data[index]));
        assert.ok(off <= 1e-5, `${when}: ${value} against ${theirs.data[index]}`);
      });
    };
    await assertAlike('before');
    for (const model of [original, imported]) {
      model.compile({ optimizer: ml.sgd({ learningRate: 0.1 }), loss: ml.meanSquaredError(), metrics: [] });
      await model.fit(x, y, { batchSize: batch, epochs: 3 });
    }
    await assertAlike('after');
    await original.close();
    await imported.close();
  });
}

test('an exported loop is refused with what to load instead', () => {
  const inputs = ml.input([50, channels]);
  const model = ml.model({ inputs, outputs: ml.lstm(units, { activation: 'silu' }).apply(inputs) });
  assert.throws(
    () => ml.importOnnx(bytesOf(model)).model(),
    /node ".*" \(Scan\): loops are not read; of a model that was exported here load the \.keras file, by loadModel/,
  );
});
