import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import {
  adam,
  bake,
  conv2d,
  decodeModel,
  dense,
  exportModel,
  flatten,
  input,
  maxPool2d,
  quantize,
  type Sequential,
  sequential,
  sparseCategoricalCrossentropy,
  type Tensor,
  tensor,
} from '../index.ts';
import { randomGenerator } from '../random.ts';
import { byteSteps, chooseRange, type Histogram, histogramBins } from './ranges.ts';
import { quantizeWeights } from './weights.ts';

/** Images with a bright half, and which half it is. */
function examples(count: number, seed: number): { x: Tensor; y: number[] } {
  const random = randomGenerator(seed);
  const y = Array.from({ length: count }, (_, index) => index % 3);
  const x = Float32Array.from({ length: count * 12 * 12 }, (_, at) => {
    const [example, row, column] = [Math.floor(at / 144), Math.floor(at / 12) % 12, at % 12];
    const half = y[example] === 0 ? 5 - row : y[example] === 1 ? 5 - column : Math.min(row, column) - 6;
    const isBright = half >= 0;
    return (isBright ? 0.7 : 0.2) + 0.5 * (random() - 0.5);
  });
  return { x: tensor(x, [count, 12, 12, 1]), y };
}

async function trained(): Promise<Sequential> {
  const model = sequential(
    [
      input([12, 12, 1]),
      conv2d(8, 3, { activation: 'relu' }),
      maxPool2d(2),
      conv2d(8, 3, { activation: 'relu' }),
      flatten(),
      dense(16, { activation: 'relu' }),
      dense(3),
    ],
    { seed: 1, threads: 1 },
  );
  model.compile({
    optimizer: adam({ learningRate: 0.01 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const { x, y } = examples(96, 1);
  await model.fit(x, y, { epochs: 8 });
  await model.close();
  return model;
}

async function run(bytes: Uint8Array, x: Tensor): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', x.data as Float32Array, x.shape) };
  const output = (await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array;
  await session.release();
  return output;
}

const classes = (logits: Float32Array): number[] =>
  Array.from({ length: logits.length / 3 }, (_, row) => {
    const scores = [...logits.subarray(3 * row, 3 * row + 3)];
    return scores.indexOf(Math.max(...scores));
  });

const operators = (bytes: Uint8Array): string[] =>
  decodeModel(bytes).graph!.node!.map(({ opType }) => opType!);

test('a quantised model answers as the float one does, and is smaller', async () => {
  const model = await trained();
  const { graph, weights } = exportModel(model);
  const float = bake(graph, weights);
  const { x, y } = examples(60, 2);
  const expected = await run(float, x);
  assert.deepEqual(classes(expected), y, 'the float model is right');
  const spread = Math.max(...expected) - Math.min(...expected);
  for (const options of [
    { calibration: examples(48, 3).x },
    { calibration: examples(48, 3).x, perChannel: false },
    { calibration: examples(48, 3).x, method: 'percentile' as const },
    { calibration: examples(48, 3).x, method: 'entropy' as const },
    {},
  ]) {
    const bytes = await quantize(model, options);
    const what = JSON.stringify({ ...options, calibration: undefined });
    assert.ok(bytes.length < float.length, `${bytes.length} bytes against ${float.length}: ${what}`);
    const logits = await run(bytes, x);
    assert.deepEqual(classes(logits), y, what);
    const off = Math.max(...logits.map((value, index) => Math.abs(value - expected[index]!)));
    assert.ok(off > 0 && off < 0.1 * spread, `off by ${off} of ${spread}: ${what}`);
  }
});

test('the static form has pairs of quantising nodes around every product, the dynamic one integer matrix products', async () => {
  const model = await trained();
  const fixed = operators(await quantize(model, { calibration: examples(8, 3).x }));
  // The input, then what each of the products but the last gives, and what follows from pooling and flattening.
  assert.ok(fixed.filter((type) => type === 'QuantizeLinear').length >= 4, fixed.join(' '));
  // Weights and bias of four products, and the activations.
  assert.ok(fixed.filter((type) => type === 'DequantizeLinear').length >= 12, fixed.join(' '));
  const dynamic = operators(await quantize(model));
  assert.equal(dynamic.filter((type) => type === 'MatMulInteger').length, 2);
  assert.equal(dynamic.filter((type) => type === 'Conv').length, 2);
});

test('what cannot be quantised is refused in words', async () => {
  const model = sequential([input([4]), flatten()]);
  await assert.rejects(quantize(model), /nothing to quantise: no Conv, MatMul or Gemm/);
  const small = sequential([input([4]), dense(2)]);
  await assert.rejects(
    quantize(exportModel(small).graph),
    /"dense\/kernel" are in another file: bake\(graph, weights\) first/,
  );
  await assert.rejects(quantize(small, { percentile: 3 }), /percentile must be above 50/);
  const nan = tensor(Float32Array.of(1, 2, Number.NaN, 4), [1, 4]);
  await assert.rejects(quantize(small, { calibration: nan }), /The calibration set gives NaN at "input"/);
  await assert.rejects(quantize(new Uint8Array(7)), /not an ONNX model/);
});

test('weights come back within half a step, each output by its own', () => {
  const random = randomGenerator(1);
  const data = Float32Array.from(
    { length: 24 },
    (_, index) => (random() - 0.5) * (index % 4 === 1 ? 100 : 1),
  );
  const { bytes, scales } = quantizeWeights(data, [6, 4], 1, true);
  data.forEach((value, index) => {
    const scale = scales[index % 4]!;
    assert.ok(Math.abs(bytes[index]! * scale - value) <= scale / 2 + 1e-6);
  });
  assert.ok(scales[1]! > 20 * scales[0]!);
  assert.equal(quantizeWeights(new Float32Array(4), [2, 2], 0, true).scales[0], 1);
});

/** Numbers spread unevenly over [0, 1], and one far outside. */
function withOutlier(): Histogram {
  const counts = new Float64Array(histogramBins);
  const random = randomGenerator(5);
  counts.subarray(0, histogramBins / 4).forEach((_, bin, part) => {
    part[bin] = Math.floor(1000 * random());
  });
  counts[histogramBins - 1] = 1;
  return { low: 0, high: 4, counts };
}

test('percentile and entropy leave out an outlier, minMax does not', () => {
  assert.equal(chooseRange(withOutlier(), 'minMax', 99.99).high, 4);
  assert.ok(Math.abs(chooseRange(withOutlier(), 'percentile', 99.9).high - 1) < 0.01);
  assert.ok(chooseRange(withOutlier(), 'entropy', 99.99).high < 1.2);
});

test('zero is always one of the steps', () => {
  for (const range of [
    { low: 2, high: 6 },
    { low: -3, high: -1 },
    { low: -1, high: 3 },
    { low: 0, high: 0 },
  ]) {
    const { scale, zeroPoint } = byteSteps(range);
    assert.ok(Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255 && scale > 0);
  }
});
