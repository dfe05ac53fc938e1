import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchParts, batchParts } from './batch-parts.ts';
import * as ml from './index.ts';
import { objectiveOf } from './losses/objective.ts';
import { trainProgram } from './programs.ts';
import { randomGenerator } from './random.ts';

const loss = ml.sparseCategoricalCrossentropy({ fromLogits: true });
const network = (...extra: ml.Layer[]) =>
  ml.sequential([
    ml.input([8, 8, 3], { dtype: 'uint8' }),
    ml.rescaling(1 / 255),
    ml.conv2d(4, 3, { activation: 'relu', kernelRegularizer: ml.l2(0.1) }),
    ml.maxPool2d(2),
    ...extra,
    ml.flatten(),
    ml.dense(3),
  ]);

test('a batch is cut into equal parts where its rows are independent, and large enough', () => {
  const count = (rows: number, ...extra: ml.Layer[]) =>
    batchParts(network(...extra).architecture, rows)?.count;
  assert.deepEqual(
    [32, 63, 64, 66, 97, 100, 128, 1024].map((rows) => count(rows)),
    [undefined, undefined, 2, 2, undefined, 2, 4, 8],
  );
  assert.equal(count(128, ml.batchNormalization()), undefined, 'its statistics are of the batch');
  assert.equal(count(128, ml.dropout(0.5)), undefined, 'its random numbers are of the batch');
});

test('a step in parts gives what a step at once gives', async () => {
  const { architecture } = network();
  const { parameterCount } = architecture;
  const random = randomGenerator(3);
  const rows = 96;
  const vector = () =>
    ml.tensor(
      Float32Array.from({ length: parameterCount }, () => random() - 0.5),
      [parameterCount],
    );
  const feeds = {
    x: ml.tensor(
      Uint8Array.from({ length: rows * 192 }, () => random() * 256),
      [rows, 8, 8, 3],
    ),
    y: ml.tensor(
      Int32Array.from({ length: rows }, () => random() * 3),
      [rows],
    ),
    sample_weight: ml.tensor(Float32Array.from({ length: rows }, random), [rows]),
    weights: vector(),
    iteration: ml.tensor(Float32Array.of(1), []),
    learning_rate: ml.tensor(Float32Array.of(0.1), []),
  };
  const step = async (parts?: BatchParts) => {
    const { bytes } = trainProgram(architecture, objectiveOf(architecture, loss), ml.sgd(), 0, parts);
    const session = await ml.nodeRuntime.open(bytes, { threads: 1 });
    const outputs = await session.run(feeds);
    await session.release();
    return outputs;
  };
  const [atOnce, inParts] = [await step(), await step({ rows, count: 3 })];
  assert.deepEqual(inParts.output!.shape, [rows, 3]);
  for (const name of ['next_weights', 'loss', 'output']) {
    const expected = atOnce[name]!.data as Float32Array;
    (inParts[name]!.data as Float32Array).forEach((value, at) => {
      assert.ok(Math.abs(value - expected[at]!) < 1e-5, `${name}[${at}]: ${value} != ${expected[at]}`);
    });
  }
  assert.notDeepEqual(atOnce.next_weights!.data, feeds.weights.data);
});

test('fit() takes batches of the size in parts and the last one whole, and learns the same', async () => {
  const random = randomGenerator(4);
  const count = 150;
  const x = ml.tensor(
    Uint8Array.from({ length: count * 192 }, () => random() * 256),
    [count, 8, 8, 3],
  );
  const y = Int32Array.from({ length: count }, (_, at) => at % 3);
  const train = async (...extra: ml.Layer[]) => {
    const model = network(...extra);
    model.compile({ optimizer: ml.sgd({ learningRate: 0.05 }), loss });
    const history = await model.fit(x, y, { batchSize: 64, epochs: 2, shuffle: false });
    await model.close();
    return history.loss;
  };
  // Noise keeps the batch whole; of this size it changes no number.
  const [parts, whole] = [await train(), await train(ml.gaussianNoise(1e-30))];
  parts.forEach((value, epoch) => {
    assert.ok(Math.abs(value - whole[epoch]!) < 1e-5, `${value} != ${whole[epoch]}`);
  });
});
