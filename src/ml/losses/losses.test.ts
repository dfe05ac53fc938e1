import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keras } from '../fixtures/keras.ts';
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  dense,
  exportModel,
  huber,
  input,
  type Loss,
  meanAbsoluteError,
  meanSquaredError,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  tensor,
} from '../index.ts';

const cases: Record<string, Loss> = {
  meanSquaredError: meanSquaredError(),
  meanAbsoluteError: meanAbsoluteError(),
  huber: huber(),
  'huber delta': huber({ delta: 2.5 }),
  binaryCrossentropy: binaryCrossentropy(),
  'binaryCrossentropy logits': binaryCrossentropy({ fromLogits: true }),
  'binaryCrossentropy smoothing': binaryCrossentropy({ labelSmoothing: 0.2 }),
  categoricalCrossentropy: categoricalCrossentropy(),
  'categoricalCrossentropy logits': categoricalCrossentropy({ fromLogits: true }),
  'categoricalCrossentropy smoothing': categoricalCrossentropy({ fromLogits: true, labelSmoothing: 0.1 }),
};

const matrix = (data: number[], columns: number) =>
  tensor(Float32Array.from(data), [data.length / columns, columns]);

for (const [name, loss] of Object.entries(cases)) {
  test(`${name} is what Keras computes, also in batches`, async () => {
    const { y, predicted, loss: expected } = keras.losses[name]!;
    const model = sequential([input([4]), dense(4, { useBias: false })], { threads: 1 });
    // The identity, so that the outputs are the given predictions.
    model.weights = Float32Array.from({ length: 16 }, (_, index) => (index % 5 === 0 ? 1 : 0));
    model.compile({ optimizer: sgd(), loss });
    for (const batchSize of [3, 2]) {
      const found = await model.evaluate(matrix(predicted, 4), matrix(y, 4), { batchSize });
      assert.ok(Math.abs(found.loss - expected) < 1e-6 * Math.max(1, expected), `${found.loss}, ${expected}`);
    }
    await model.close();
  });
}

test('a line is found by least squares, from an array of numbers', async () => {
  const model = sequential([input([1]), dense(1)], { threads: 1 });
  model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: meanSquaredError() });
  const x = Array.from({ length: 20 }, (_, index) => index / 10 - 1);
  const history = await model.fit(
    matrix(x, 1),
    x.map((value) => 3 * value - 0.5),
    { epochs: 100, batchSize: 5, validationSplit: 0.2 },
  );
  assert.ok(history.val_loss!.at(-1)! < 1e-6);
  assert.ok(Math.abs(model.weights[0]! - 3) < 1e-2 && Math.abs(model.weights[1]! + 0.5) < 1e-2);
  await model.close();
});

test('a single output counts as right on the right side of one half, of zero for logits', async () => {
  const model = sequential([input([1]), dense(1, { useBias: false })], { threads: 1 });
  model.weights = Float32Array.of(1);
  const x = matrix([0.4, 0.6, 0.3, 0.9], 1);
  model.compile({ optimizer: sgd(), loss: binaryCrossentropy() });
  assert.equal((await model.evaluate(x, [0, 1, 1, 1])).accuracy, 0.75);
  model.compile({ optimizer: sgd(), loss: binaryCrossentropy({ fromLogits: true }) });
  assert.equal((await model.evaluate(x, [0, 1, 1, 1])).accuracy, 0.75);
  assert.equal((await model.evaluate(matrix([-1, -1, 1, 1], 1), [0, 1, 1, 1])).accuracy, 0.75);
  await model.close();
});

test('targets that do not fit the loss are refused with what is needed', async () => {
  const model = sequential([input([4]), dense(3)]);
  const x = matrix([1, 2, 3, 4, 5, 6, 7, 8], 4);
  model.compile({ optimizer: sgd(), loss: meanSquaredError() });
  await assert.rejects(model.fit(x, [1, 2]), /needs targets of shape \[2, 3\], got \[2\]/);
  await assert.rejects(model.fit(x, matrix([1, 2], 1)), /mean_squared_error needs targets .*got \[2, 1\]/);
  model.compile({ optimizer: sgd(), loss: sparseCategoricalCrossentropy() });
  await assert.rejects(model.fit(x, matrix([1, 2, 3, 4, 5, 6], 3)), /needs one class number an example/);
});

test('an exported output is named after what the loss takes it for', () => {
  const losses = [meanSquaredError(), binaryCrossentropy(), binaryCrossentropy({ fromLogits: true })];
  const names = losses.map((loss) => {
    const model = sequential([input([4]), dense(1)]);
    model.compile({ optimizer: sgd(), loss });
    return exportModel(model).metadata.outputs[0]!.name;
  });
  assert.deepEqual(names, ['output', 'probabilities', 'logits']);
});
