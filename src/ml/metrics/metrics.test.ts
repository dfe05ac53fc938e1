import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kerasTraining } from '../fixtures/keras-training.ts';
import { meanSquaredError } from '../losses/regression.ts';
import { sparseCategoricalCrossentropy } from '../losses/sparse-categorical-crossentropy.ts';
import { accumulatorOf } from './accumulator.ts';
import * as m from './metric.ts';

const { data, metrics } = kerasTraining;
const labels = Int32Array.from(data.labels);
const hot = Float32Array.from({ length: 48 }, (_, at) => +(data.labels[Math.floor(at / 6)] === at % 6));
const binary = { targets: Float32Array.from(data.bits), outputs: Float32Array.from(data.chances) };
const logits = { ...binary, outputs: binary.outputs.map((value) => value * 6 - 3) };
const outputs = Float32Array.from(data.rows);
const classes = { targets: labels, outputs };
const oneHot = { targets: hot, outputs };
const many = { targets: Float32Array.from(data.many), outputs };
const weighted = <T extends m.MetricSpec>(spec: T): m.MetricSpec => ({ ...spec, isWeighted: true });

const cases: Record<string, [m.MetricSpec, { targets: Int32Array | Float32Array; outputs: Float32Array }]> = {
  binaryAccuracy: [m.binaryAccuracy(), binary],
  'binaryAccuracy threshold': [m.binaryAccuracy({ threshold: 0.3 }), binary],
  'binaryAccuracy many': [m.binaryAccuracy(), many],
  precision: [m.precision(), binary],
  'precision threshold': [m.precision({ threshold: 0.7 }), many],
  recall: [m.recall(), binary],
  'recall weighted': [weighted(m.recall()), binary],
  auc: [m.auc(), binary],
  'auc weighted': [weighted(m.auc({ numThresholds: 50 })), binary],
  'auc PR': [m.auc({ curve: 'PR' }), binary],
  'auc logits': [m.auc({ fromLogits: true }), logits],
  sparseCategoricalAccuracy: [m.sparseCategoricalAccuracy(), classes],
  categoricalAccuracy: [m.categoricalAccuracy(), oneHot],
  sparseTopKCategoricalAccuracy: [m.sparseTopKCategoricalAccuracy({ k: 3 }), classes],
  'topKCategoricalAccuracy weighted': [weighted(m.topKCategoricalAccuracy({ k: 2 })), oneHot],
  'f1Score macro': [m.f1Score(), oneHot],
  'f1Score micro': [m.f1Score({ average: 'micro', threshold: 0.5 }), many],
  'f1Score weighted': [weighted(m.f1Score({ average: 'weighted' })), classes],
  mae: [m.meanAbsoluteErrorMetric(), many],
  mse: [weighted(m.meanSquaredErrorMetric()), many],
  rootMeanSquaredError: [m.rootMeanSquaredError(), many],
};

test('every metric of the fixtures is tried', () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(metrics).sort());
});

for (const [name, [spec, answers]] of Object.entries(cases)) {
  test(`${name} is what Keras says, over two batches of different size`, () => {
    const width = answers.outputs.length / 8;
    const stride = answers.targets.length / 8;
    const accumulator = accumulatorOf(spec);
    for (const [start, end] of [
      [0, 5],
      [5, 8],
    ] as const) {
      accumulator.update({
        count: end - start,
        width,
        outputs: answers.outputs.subarray(start * width, end * width),
        targets: answers.targets.subarray(start * stride, end * stride),
        weights: Float32Array.from(data.weights).subarray(start, end),
      });
    }
    const result = accumulator.result();
    assert.ok(Math.abs(result - metrics[name]!) < 1e-6, `${result} against ${metrics[name]}`);
  });
}

const resolve = (...metrics: m.Metric[]) => m.resolveMetrics(metrics, [], sparseCategoricalCrossentropy(), 3);

test('accuracy means what the loss and the outputs make of it', () => {
  assert.equal(resolve('accuracy')[0]!.kind, 'classAccuracy');
  assert.equal(m.resolveMetrics(['acc'], [], meanSquaredError(), 1)[0]!.kind, 'binaryAccuracy');
  assert.deepEqual(
    resolve('mae', 'acc', m.auc()).map(({ name }) => name),
    ['mae', 'acc', 'auc'],
  );
});

test('an unknown metric and one that stands twice are refused', () => {
  // A name that the types would not let pass, as from JavaScript.
  assert.throws(() => resolve('accurracy' as 'accuracy'), /no metric "accurracy"; there are accuracy, mae/);
  assert.throws(() => resolve('auc', m.auc()), /two figures are named "auc": give one a name/);
});
