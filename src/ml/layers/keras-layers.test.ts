import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import * as ml from '../index.ts';
import type { InputOptions } from './input.ts';
import type { SymbolicTensor } from './layer.ts';

/** What Keras 3 computed, by `fixtures/write-layer-fixtures.py`. Arrays are flat, in row-major order. */
interface KerasCase {
  x: number[];
  weights: number[];
  y: number[];
  /** The loss of one step of SGD(0.1) towards zeros, penalties included. */
  loss?: number;
  /** The weights after that step. */
  after?: number[];
}

const fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/keras-layers.json', import.meta.url), 'utf8'),
) as { cases: Record<string, KerasCase> };

// Dozens of threads would take longer to start than the models to run.
ml.setEngine(() => ml.localEngine(ml.nodeRuntime, { threads: 1 }));

type Build = ml.Layer | ((x: SymbolicTensor) => SymbolicTensor);

const sequence = [5, 3];
const image = [5, 4, 2];
const integers = { dtype: 'int32' } as const;
const masked = (outputDim: number, x: SymbolicTensor) =>
  ml.embedding(3, outputDim, { maskZero: true }).apply(x);
const merged = (layer: ml.Layer) => (x: SymbolicTensor) =>
  layer.apply(ml.dense(3).apply(x), ml.dense(3).apply(x));

/** By the fixture's name: the shape of one example, and the layer or graph. */
const cases: Record<string, [shape: number[], build: Build, options?: InputOptions]> = {
  Conv1D: [sequence, ml.conv1d(2, 3)],
  'Conv1D same strides': [sequence, ml.conv1d(2, 3, { strides: 2, padding: 'same', activation: 'relu' })],
  'Conv1D causal dilation': [sequence, ml.conv1d(2, 2, { padding: 'causal', dilationRate: 2 })],
  'Conv1D groups': [[5, 4], ml.conv1d(4, 3, { groups: 2 })],
  'Conv2D groups': [[4, 4, 4], ml.conv2d(6, 3, { groups: 2, padding: 'same' })],
  DepthwiseConv2D: [image, ml.depthwiseConv2d(3, { padding: 'same', strides: 2 })],
  'DepthwiseConv2D multiplier': [image, ml.depthwiseConv2d(2, { depthMultiplier: 2, activation: 'tanh' })],
  SeparableConv2D: [image, ml.separableConv2d(3, 2, { depthMultiplier: 2 })],
  Conv2DTranspose: [[3, 2, 2], ml.conv2dTranspose(3, 3)],
  'Conv2DTranspose strides': [[3, 2, 2], ml.conv2dTranspose(2, 3, { strides: 2 })],
  'Conv2DTranspose strides same': [[3, 2, 2], ml.conv2dTranspose(2, 3, { strides: 2, padding: 'same' })],
  'Conv2DTranspose strides above kernel': [[3, 2, 2], ml.conv2dTranspose(2, 2, { strides: 3 })],
  MaxPooling1D: [sequence, ml.maxPooling1d()],
  'MaxPooling1D same': [sequence, ml.maxPooling1d(3, { strides: 2, padding: 'same' })],
  AveragePooling1D: [sequence, ml.averagePooling1d(2, { padding: 'same' })],
  GlobalAveragePooling1D: [sequence, ml.globalAveragePooling1d()],
  GlobalMaxPooling1D: [sequence, ml.globalMaxPooling1d({ keepDims: true })],
  UpSampling1D: [sequence, ml.upSampling1d(3)],
  UpSampling2D: [[2, 2, 2], ml.upSampling2d([3, 2])],
  ZeroPadding1D: [sequence, ml.zeroPadding1d([1, 2])],
  Cropping1D: [sequence, ml.cropping1d([1, 2])],
  Cropping2D: [
    image,
    ml.cropping2d([
      [1, 2],
      [0, 1],
    ]),
  ],
  Permute: [image, ml.permute([3, 1, 2])],
  RepeatVector: [[3], ml.repeatVector(4)],
  ReLU: [[9], ml.relu()],
  'ReLU arguments': [[9], ml.relu({ maxValue: 1.2, negativeSlope: 0.3, threshold: 0.4 })],
  'Softmax axis': [[3, 2], ml.softmax({ axis: 1 })],
  PReLU: [[4], ml.prelu()],
  'PReLU shared': [image, ml.prelu({ sharedAxes: [1, 2] })],
  'Dense images': [image, ml.dense(3, { activation: 'sigmoid' })],
  Embedding: [[4], ml.embedding(6, 3), integers],
  LSTM: [sequence, ml.lstm(2)],
  'LSTM sequences backwards': [sequence, ml.lstm(3, { returnSequences: true, goBackwards: true })],
  'LSTM activations no bias': [
    sequence,
    ml.lstm(2, { activation: 'relu', recurrentActivation: 'tanh', useBias: false }),
  ],
  'LSTM masked': [[6], (x) => ml.lstm(2, { returnSequences: true }).apply(masked(2, x)), integers],
  'LSTM masked twice': [
    [6],
    (x) => ml.lstm(2).apply(ml.lstm(2, { returnSequences: true }).apply(masked(2, x))),
    integers,
  ],
  GRU: [sequence, ml.gru(2)],
  'GRU reset before': [sequence, ml.gru(2, { resetAfter: false, returnSequences: true })],
  'GRU masked': [[6], (x) => ml.gru(2).apply(masked(2, x)), integers],
  SimpleRNN: [sequence, ml.simpleRNN(2, { returnSequences: true })],
  'Bidirectional LSTM': [sequence, ml.bidirectional(ml.lstm(2))],
  'Bidirectional GRU sequences': [
    sequence,
    ml.bidirectional(ml.gru(2, { returnSequences: true }), { mergeMode: 'sum' }),
  ],
  'TimeDistributed Dense': [sequence, ml.timeDistributed(ml.dense(2, { activation: 'tanh' }))],
  'TimeDistributed Conv2D': [[3, 4, 4, 2], ml.timeDistributed(ml.conv2d(2, 3))],
  MultiHeadAttention: [sequence, (x) => ml.multiHeadAttention(2, 3).apply(x, x)],
  'MultiHeadAttention causal': [
    sequence,
    (x) => ml.multiHeadAttention(2, 3, { useBias: false, outputShape: 2, useCausalMask: true }).apply(x, x),
  ],
  'MultiHeadAttention masked': [
    [5],
    (x) => {
      const embedded = masked(4, x);
      return ml.multiHeadAttention(2, 2).apply(embedded, embedded);
    },
    integers,
  ],
  'GlobalAveragePooling1D masked': [[6], (x) => ml.globalAveragePooling1d().apply(masked(2, x)), integers],
  Add: [[4], merged(ml.add())],
  Subtract: [[4], merged(ml.subtract())],
  Multiply: [[4], merged(ml.multiply())],
  Average: [[4], merged(ml.average())],
  Maximum: [[4], merged(ml.maximum())],
  Minimum: [[4], merged(ml.minimum())],
  Concatenate: [[2, 4], merged(ml.concatenate({ axis: 1 }))],
  functional: [
    [4],
    (x) => {
      const shared = ml.dense(4, { activation: 'tanh' });
      const a = shared.apply(x);
      const b = shared.apply(ml.dense(4).apply(a));
      return ml.dense(2).apply(ml.concatenate().apply(ml.add().apply(a, b), ml.dense(3).apply(x)));
    },
  ],
  frozen: [
    [4],
    (x) => {
      const hidden = ml.dense(3, { trainable: false }).apply(x);
      return ml.dense(2).apply(ml.batchNormalization({ trainable: false }).apply(hidden));
    },
  ],
  regularizers: [
    [3],
    ml.dense(2, {
      kernelRegularizer: ml.l1l2({ l1: 0.1, l2: 0.2 }),
      biasRegularizer: ml.l2(0.3),
      activityRegularizer: ml.l1(0.05),
    }),
  ],
  BatchNormalization: [image, (x) => ml.dense(2).apply(ml.batchNormalization({ momentum: 0.9 }).apply(x))],
  LayerNormalization: [sequence, (x) => ml.dense(2).apply(ml.layerNormalization().apply(x))],
};

test('each of the cases that Keras computed is here', () => {
  assert.deepEqual(Object.keys(cases), Object.keys(fixtures.cases));
});

for (const [name, [shape, build, options]] of Object.entries(cases)) {
  test(`${name} computes, exports and trains as in Keras`, async () => {
    const { x: numbers, weights, y, loss, after } = fixtures.cases[name]!;
    const inputs = ml.input(shape, options);
    const outputs = typeof build === 'function' ? build(inputs) : build.apply(inputs);
    const data = options?.dtype === 'int32' ? Int32Array.from(numbers) : Float32Array.from(numbers);
    const x = ml.tensor(data, [2, ...shape]);
    const network = ml.model({ inputs, outputs: ml.flatten().apply(outputs) });
    network.weights = Float32Array.from(weights);

    assertClose((await network.predict(x)).data as Float32Array, y);
    const exported = ml.exportModel(network);
    const session = await ort.InferenceSession.create(ml.bake(exported.graph, exported.weights));
    const feeds = { input: new ort.Tensor(x.dtype as 'float32', data as Float32Array, x.shape) };
    assertClose((await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array, y);
    await session.release();

    if (after) {
      const width = y.length / 2;
      network.compile({ optimizer: ml.sgd({ learningRate: 0.1 }), loss: ml.meanSquaredError() });
      const history = await network.fit(x, ml.tensor(new Float32Array(2 * width), [2, width]), {
        batchSize: 2,
      });
      assertClose(history.loss!, [loss!]);
      assertClose(network.weights, after);
    }
    await network.close();
  });
}

function assertClose(actual: ArrayLike<number>, expected: number[]): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, index) => {
    const difference = Math.abs(value - actual[index]!);
    assert.ok(
      difference <= 1e-5 * Math.max(1, Math.abs(value)),
      `element ${index}: ${actual[index]} against ${value}`,
    );
  });
}
