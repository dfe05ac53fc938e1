import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import {
  bake,
  conv2d,
  decodeModel,
  dense,
  dropout,
  exportModel,
  flatten,
  type Input,
  input,
  type Layer,
  loadWeights,
  maxPool2d,
  rescaling,
  type Sequential,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  type Tensor,
  tensor,
} from '../index.ts';
import { randomGenerator } from '../random.ts';

const batch = 3;

/** Plain onnxruntime on the baked file. */
async function runBaked(bytes: Uint8Array, { dtype, data, shape }: Tensor): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(bytes);
  const outputs = await session.run({ input: new ort.Tensor(dtype, data as Float32Array, shape) });
  return outputs[session.outputNames[0]!]!.data as Float32Array;
}

function assertClose(actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, index) => {
    const difference = Math.abs(value - expected[index]!);
    assert.ok(
      difference <= 1e-5 * Math.max(1, Math.abs(value)),
      `element ${index}: ${value}, ${expected[index]}`,
    );
  });
}

function randomInput(model: Sequential): Tensor {
  const random = randomGenerator(11);
  const { dtype, shape } = model.architecture.input;
  const size = shape.reduce((product, dim) => product * dim, batch);
  const values = Array.from({ length: size }, () =>
    dtype === 'uint8' ? Math.floor(256 * random()) : random() - 0.5,
  );
  return tensor(dtype === 'uint8' ? Uint8Array.from(values) : Float32Array.from(values), [batch, ...shape]);
}

/** Weights of which none is zero, biases included. */
function randomize(model: Sequential, seed: number): void {
  const random = randomGenerator(seed);
  model.weights = Float32Array.from(model.weights, () => 0.4 * (random() - 0.5));
}

// Each stack takes another path through `lower.ts` or the window tables; the exported graph is ONNX's own Conv
// and MaxPool, so that agreement checks both.
const stacks: [string, (Input | Layer)[]][] = [
  [
    'patches',
    [
      input([12, 12, 3], { dtype: 'uint8' }),
      rescaling(1 / 255),
      conv2d(4, 3, { activation: 'relu' }),
      maxPool2d(2),
    ],
  ],
  ['patches, pool 3', [input([12, 12, 1]), conv2d(4, 3, { activation: 'relu' }), maxPool2d(3)]],
  ['phases', [input([9, 10, 8]), conv2d(4, 3, { activation: 'relu' }), maxPool2d(2)]],
  [
    'an activation that may not come after pooling',
    [input([9, 10, 3]), conv2d(4, 3, { activation: 'gelu' }), maxPool2d(2)],
  ],
  ['softmax over channels', [input([5, 6, 3]), conv2d(4, 3, { activation: 'softmax' }), maxPool2d(2)]],
  ['phases, same padding', [input([9, 10, 5]), conv2d(4, 5, { padding: 'same' }), maxPool2d(2)]],
  ['convolution alone', [input([9, 10, 3]), conv2d(4, [3, 2], { activation: 'relu' })]],
  ['strides', [input([9, 10, 3]), conv2d(4, 3, { strides: 2, padding: 'same' })]],
  ['dilation', [input([9, 10, 3]), conv2d(4, 3, { dilationRate: 2, useBias: false })]],
  ['overlapping pools', [input([9, 10, 3]), conv2d(4, 3), maxPool2d(3, { strides: 2 })]],
  ['padded pools', [input([9, 10, 3]), maxPool2d(3, { strides: 2, padding: 'same' })]],
  ['dropout', [input([4, 4, 2]), dropout(0.5)]],
];

for (const [name, layers] of stacks) {
  test(`the baked model gives the logits of predict(): ${name}`, async () => {
    const model = sequential([...layers, flatten(), dense(7, { activation: 'relu' }), dense(3)], {
      threads: 1,
    });
    randomize(model, 5);
    const x = randomInput(model);
    const { graph, weights } = exportModel(model);
    const predicted = await model.predict(x, { batchSize: 2 });
    assert.deepEqual(predicted.shape, [batch, 3]);
    assertClose(await runBaked(bake(graph, weights), x), predicted.data as Float32Array);
    await model.close();
  });
}

const small = (seed = 1): Sequential =>
  sequential([input([4]), dense(5, { activation: 'relu' }), dense(2, { activation: 'softmax' })], { seed });

test('loadWeights() brings a weights file back into a model', () => {
  const [trained, fresh] = [small(1), small(2)];
  loadWeights(fresh, exportModel(trained).weights);
  assert.deepEqual(fresh.weights, trained.weights);
  const other = sequential([input([4]), dense(5), dense(3)]);
  assert.throws(
    () => loadWeights(other, exportModel(trained).weights),
    /needs "dense_1\/kernel" as F32 \[5, 3\]/,
  );
});

test('retraining changes the weights file alone', () => {
  const [first, second] = [exportModel(small(1)), exportModel(small(2))];
  assert.deepEqual(first.graph, second.graph);
  assert.notDeepEqual(first.weights, second.weights);
  assert.deepEqual(exportModel(small(1)).weights, first.weights, 'and the same model gives the same bytes');
});

test('the graph with its weights file beside it is a complete ONNX model', async () => {
  const model = small();
  const { graph, weights } = exportModel(model);
  const folder = await mkdtemp(join(tmpdir(), 'selvage-ml-'));
  await writeFile(join(folder, 'graph.onnx'), graph);
  await writeFile(join(folder, 'weights.safetensors'), weights);
  const session = await ort.InferenceSession.create(join(folder, 'graph.onnx'));
  const x = randomInput(model);
  const outputs = await session.run({ input: new ort.Tensor('float32', x.data as Float32Array, x.shape) });
  assertClose(outputs.output!.data as Float32Array, (await model.predict(x)).data as Float32Array);
  await model.close();
  await rm(folder, { recursive: true });
});

test('the metadata say what a server must know, and the graph carries the labels', () => {
  const model = small();
  model.compile({ optimizer: sgd(), loss: sparseCategoricalCrossentropy() });
  const { graph, metadata } = exportModel(model, { labels: ['cat', 'dog'], metrics: { accuracy: 0.5 } });
  assert.deepEqual(metadata.inputs, [{ name: 'input', datatype: 'FP32', shape: [-1, 4] }]);
  assert.deepEqual(metadata.outputs, [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }]);
  assert.deepEqual(
    [metadata.labels, metadata.metrics, metadata.parameters],
    [['cat', 'dog'], { accuracy: 0.5 }, 37],
  );
  const decoded = decodeModel(graph);
  assert.deepEqual(decoded.metadataProps?.at(-1), { key: 'labels', value: '["cat","dog"]' });
  assert.equal(decoded.graph?.input?.[0]?.name, 'input');
  assert.throws(() => exportModel(model, { labels: ['cat'] }), /2 outputs, got 1 labels/);
});

test('weights of another model, or a damaged file, are refused with the reason', () => {
  const { graph, weights } = exportModel(small());
  const wider = exportModel(sequential([input([4]), dense(6), dense(2)]));
  assert.throws(
    () => bake(graph, wider.weights),
    /needs "dense\/kernel" as F32 \[4, 5\], .* has it as F32 \[4, 6\]/,
  );
  const other = exportModel(sequential([input([4]), dense(5, { name: 'head' })]));
  assert.throws(
    () => bake(graph, other.weights),
    /needs weights "dense\/kernel", the weights file has head\/kernel/,
  );
  assert.throws(
    () => bake(graph, weights.subarray(0, weights.length - 1)),
    /lies outside, the file is cut short/,
  );
  assert.throws(() => bake(graph, weights.subarray(0, 20)), /header of \d+ bytes is cut short/);
  assert.throws(() => bake(graph, new Uint8Array(4)), /not a safetensors file/);
  assert.throws(() => bake(graph, new Uint8Array(16).fill(255)), /not a safetensors file: a header of/);
  assert.throws(() => bake(new Uint8Array(9), weights), /not an ONNX model/);
});
