import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import {
  add,
  bake,
  concatenate,
  dense,
  embedding,
  exportModel,
  flatten,
  input,
  localEngine,
  lstm,
  model,
  nodeRuntime,
  sequential,
  setEngine,
  sgd,
  sparseCategoricalCrossentropy,
  type Tensor,
  tensor,
} from './index.ts';

setEngine(() => localEngine(nodeRuntime, { threads: 1 }));

/** Words and numbers in, classes and a score out. */
function twoByTwo() {
  const words = input([3], { dtype: 'int32', name: 'words' });
  const numbers = input([2], { name: 'numbers' });
  const read = lstm(4).apply(embedding(6, 2, { maskZero: true }).apply(words));
  const both = concatenate().apply(read, numbers);
  const classes = dense(3, { name: 'classes' }).apply(both);
  const score = dense(1, { name: 'score', activation: 'sigmoid' }).apply(both);
  return { inputs: [words, numbers], classes, score };
}

const words = tensor(Int32Array.of(1, 2, 0, 5, 0, 0, 3, 3, 4, 2, 5, 1), [4, 3]);
const numbers = tensor(
  Float32Array.from({ length: 8 }, (_, index) => Math.sin(index)),
  [4, 2],
);

test('a model of several inputs and outputs predicts what its exported file computes', async () => {
  const { inputs, classes, score } = twoByTwo();
  const network = model({ inputs, outputs: [classes, score], seed: 3 });
  const predicted = await network.predictAll([words, numbers], { batchSize: 3 });
  assert.deepEqual(
    predicted.map(({ shape }) => shape),
    [
      [4, 3],
      [4, 1],
    ],
  );
  await assert.rejects(
    network.predict([words, numbers]),
    /has 2 outputs: use predictAll\(\) or predictByName\(\)/,
  );

  const { graph, weights, metadata } = exportModel(network);
  assert.deepEqual(metadata.inputs, [
    { name: 'words', datatype: 'INT32', shape: [-1, 3] },
    { name: 'numbers', datatype: 'FP32', shape: [-1, 2] },
  ]);
  const session = await ort.InferenceSession.create(bake(graph, weights));
  const outputs = await session.run({
    words: new ort.Tensor('int32', words.data as Int32Array, words.shape),
    numbers: new ort.Tensor('float32', numbers.data as Float32Array, numbers.shape),
  });
  assert.deepEqual(session.outputNames, ['classes', 'score']);
  for (const [index, name] of session.outputNames.entries()) {
    const expected = outputs[name]!.data as Float32Array;
    predicted[index]!.data.forEach((value, at) => {
      assert.ok(Math.abs(Number(value) - expected[at]!) < 1e-6);
    });
  }
  await network.close();
});

test('a model of several inputs trains, and its weights serve the model of all outputs', async () => {
  const { inputs, classes, score } = twoByTwo();
  const network = model({ inputs, outputs: classes, seed: 1 });
  network.compile({
    optimizer: sgd({ learningRate: 0.5 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const x = [words, numbers];
  const labels = [0, 1, 2, 1];
  const validationData: [Tensor[], number[]] = [x, labels];
  const history = await network.fit(x, labels, { epochs: 60, batchSize: 2, validationData });
  assert.ok(history.val_loss!.at(-1)! < history.loss![0]! / 4, `loss ${history.loss}`);
  const { accuracy } = await network.evaluate(x, labels);
  assert.equal(accuracy, 1);
  const all = model({ inputs, outputs: [classes, score] });
  all.weights.set(network.weights);
  assert.deepEqual((await all.predictAll(x))[0], await network.predict(x));
  await Promise.all([network.close(), all.close()]);
});

test('inputs that do not fit are refused by name', async () => {
  const { inputs, classes } = twoByTwo();
  const network = model({ inputs, outputs: classes });
  await assert.rejects(
    network.predict([words, words]),
    /predict got int32 \[4, 3\] for "numbers", which takes float32 \[4, 2\]/,
  );
  await assert.rejects(network.predict([words]), /predict \(inputs\): got 1 for the 2 "words", "numbers"/);
  assert.throws(
    () => model({ inputs: inputs[0]!, outputs: classes }),
    /depends on input\(\[2\]\), which is not among the model's inputs/,
  );
});

test('shapes that do not fit are reported when the layer is applied', () => {
  const [a, b] = [input([4]), input([2, 3])];
  assert.throws(() => add().apply(a, b), /Add needs inputs of one rank, got \[N, 4\] and \[N, 2, 3\]/);
  assert.throws(() => add().apply(a, input([3])), /\[N, 4\] and \[N, 3\] do not broadcast: 4 against 3/);
  assert.throws(() => add().apply(a), /Add takes 2 or more inputs, got 1/);
  assert.throws(() => dense(3).apply(a, a), /Dense takes 1 input, got 2/);
  assert.throws(
    () => concatenate().apply(b, a),
    /Concatenate\(axis -1\) needs inputs that are alike but for that axis, got \[N, 2, 3\] and \[N, 4\]/,
  );
  assert.throws(() => lstm(2).apply(a), /LSTM\(2\) needs a 3-D input, got \[N, 4\]: give sequences/);
  const shared = dense(2);
  const outputs = add().apply(shared.apply(a), shared.apply(flatten().apply(b)));
  assert.throws(
    () => model({ inputs: [a, b], outputs }),
    /dense is shared, but its kernel would be \[4, 2\] in one place and \[6, 2\] in another/,
  );
});

test('a frozen layer keeps its weights, whatever the optimizer does to the others', async () => {
  const frozen = dense(3, { trainable: false });
  const network = sequential([input([2]), frozen, dense(3)], { seed: 2 });
  const loss = sparseCategoricalCrossentropy({ fromLogits: true });
  network.compile({ optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }), loss });
  const before = network.weights.slice();
  await network.fit(numbers, [0, 1, 2, 0], { epochs: 3 });
  assert.deepEqual(network.weights.slice(0, 9), before.slice(0, 9));
  assert.notDeepEqual(network.weights.slice(9), before.slice(9));
  frozen.trainable = true;
  network.compile({ optimizer: sgd(), loss });
  await network.fit(numbers, [0, 1, 2, 0]);
  assert.notDeepEqual(network.weights.slice(0, 9), before.slice(0, 9));
  await network.close();
});

test('summary() says what each layer is connected to, where that is not the line before', () => {
  const { inputs, classes, score } = twoByTwo();
  const lines = model({ inputs, outputs: [classes, score] })
    .summary()
    .split('\n');
  assert.match(lines.find((line) => line.startsWith('concatenate'))!, /\[N, 6\] +0 {2}lstm, numbers$/);
  assert.match(lines.find((line) => line.startsWith('score'))!, /\[N, 1\] +7 {2}concatenate$/);
});
