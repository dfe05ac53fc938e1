import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { keras } from '../fixtures/keras.ts';
import {
  activation,
  activations,
  averagePooling2d,
  bake,
  batchNormalization,
  conv2d,
  dense,
  elu,
  exportModel,
  flatten,
  globalAveragePooling2d,
  globalMaxPooling2d,
  input,
  type Layer,
  layerNormalization,
  leakyRelu,
  reshape,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  tensor,
  zeroPadding2d,
} from '../index.ts';

/** Fixture, shape of one example, layer. */
const cases: [string, number[], Layer][] = [
  ['relu', [5], activation('relu')],
  ['sigmoid', [5], activation('sigmoid')],
  ['tanh', [5], activation('tanh')],
  ['softmax', [5], activation('softmax')],
  ['leaky_relu', [5], activation('leaky_relu')],
  ['elu', [5], activation('elu')],
  ['gelu', [5], activation('gelu')],
  ['gelu approximate', [5], activation(activations.gelu({ approximate: true }))],
  ['silu', [5], activation('silu')],
  ['swish', [5], activation('swish')],
  ['softplus', [5], activation('softplus')],
  ['LeakyReLU', [5], leakyRelu()],
  ['ELU', [5], elu({ alpha: 0.5 })],
  ['Dense softplus', [4], dense(3, { activation: 'softplus' })],
  ['Conv2D same strides', [5, 4, 2], conv2d(2, 3, { strides: 2, padding: 'same', activation: 'silu' })],
  ['Conv2D dilation no bias', [4, 4, 2], conv2d(2, 2, { dilationRate: 2, useBias: false })],
  ['AveragePooling2D', [4, 5, 2], averagePooling2d(2)],
  ['AveragePooling2D same', [5, 4, 2], averagePooling2d(3, { strides: 2, padding: 'same' })],
  ['GlobalAveragePooling2D', [3, 2, 2], globalAveragePooling2d()],
  ['GlobalAveragePooling2D keepdims', [3, 2, 2], globalAveragePooling2d({ keepDims: true })],
  ['GlobalMaxPooling2D', [3, 2, 2], globalMaxPooling2d()],
  [
    'ZeroPadding2D',
    [2, 2, 2],
    zeroPadding2d([
      [1, 0],
      [2, 1],
    ]),
  ],
  ['Reshape', [4, 3], reshape([-1, 2])],
  ['LayerNormalization', [5], layerNormalization()],
  ['LayerNormalization images', [2, 2, 3], layerNormalization({ center: false, epsilon: 0.1 })],
  ['BatchNormalization', [3], batchNormalization()],
  ['BatchNormalization images', [2, 2, 3], batchNormalization({ epsilon: 0.1 })],
];

for (const [name, shape, layer] of cases) {
  test(`${name} gives Keras' numbers, in the model and in the exported file`, async () => {
    const { x, y, weights } = keras.layers[name]!;
    const model = sequential([input(shape), layer], { threads: 1 });
    model.weights = Float32Array.from(weights);
    const images = tensor(Float32Array.from(x), [2, ...shape]);
    const predicted = await model.predict(images);
    await model.close();
    assertClose(predicted.data as Float32Array, y);
    const exported = exportModel(model);
    const session = await ort.InferenceSession.create(bake(exported.graph, exported.weights));
    const feeds = { input: new ort.Tensor('float32', images.data as Float32Array, images.shape) };
    const output = (await session.run(feeds))[session.outputNames[0]!]!;
    assert.deepEqual(output.dims, predicted.shape);
    assertClose(output.data as Float32Array, y);
  });
}

function assertClose(actual: Float32Array, expected: number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, index) => {
    const difference = Math.abs(value - expected[index]!);
    assert.ok(
      difference <= 1e-5 * Math.max(1, Math.abs(value)),
      `element ${index}: ${value} against ${expected[index]}`,
    );
  });
}

test('an activation that does not exist is refused with the names of those that do', () => {
  assert.throws(
    () => dense(3, { activation: 'relu7' as 'relu' }),
    /no activation "relu7": use one of linear/,
  );
});

test('batchNormalization trains as in Keras, moving statistics too', async () => {
  const { x, before, after, loss, y } = keras.batchNormalizationTraining;
  const model = sequential([input([3]), dense(4), batchNormalization(), dense(3)], { threads: 1 });
  model.weights = Float32Array.from(before);
  model.compile({
    optimizer: sgd({ learningRate: 0.1 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const examples = tensor(Float32Array.from(x), [6, 3]);
  const labels = [0, 1, 2, 0, 1, 2];
  const history = await model.fit(examples, labels, { batchSize: 6, epochs: 3, shuffle: false });
  assertClose(Float32Array.from(history.loss), loss);
  assertClose(model.weights, after);
  assertClose((await model.predict(examples)).data as Float32Array, y);
  await model.close();
});

test('batchNormalization of images learns their statistics', async () => {
  const model = sequential([input([2, 2, 1]), batchNormalization({ momentum: 0 }), flatten(), dense(2)]);
  model.compile({ optimizer: sgd(), loss: sparseCategoricalCrossentropy({ fromLogits: true }) });
  const images = tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 2, 2, 1]);
  await model.fit(images, [0, 1], { batchSize: 2 });
  const [, , mean, variance] = model.weights;
  assert.deepEqual([mean, variance], [4.5, 5.25]);
  await model.close();
});
