import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import {
  bake,
  dense,
  exportModel,
  importOnnx,
  type Sequential,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  type Tensor,
  tensor,
} from '../index.ts';

const fixtures = new URL('../fixtures/onnx-files/', import.meta.url);
const bytesOf = (name: string) => readFile(new URL(`${name}.onnx`, fixtures));

interface Numbers {
  shape: number[];
  x: number[];
  /** What the exporting library computed. */
  output: number[];
  y: number[];
  loss: number;
  after: number[];
}

async function numbersOf(name: string): Promise<Numbers & { images: Tensor }> {
  const numbers: Numbers = JSON.parse(await readFile(new URL(`${name}.json`, fixtures), 'utf8'));
  const size = numbers.shape.reduce((product, dim) => product * dim, 1);
  const images = tensor(Float32Array.from(numbers.x), [numbers.x.length / size, ...numbers.shape]);
  return { ...numbers, images };
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  assert.equal(actual.length, expected.length);
  for (let index = 0; index < actual.length; index += 1) {
    const [ours, theirs] = [actual[index]!, expected[index]!];
    assert.ok(
      Math.abs(ours - theirs) <= tolerance * Math.max(1, Math.abs(theirs)),
      `${index}: ${ours} against ${theirs}`,
    );
  }
}

const predict = async (model: Sequential, x: Tensor) => (await model.predict(x)).data as Float32Array;

for (const [file, numbers] of [
  ['torch', 'torch'],
  ['torch-fixed', 'torch'],
  ['torch-mlp', 'torch-mlp'],
  ['tf2onnx', 'tf2onnx'],
  ['tf2onnx-lstm', 'tf2onnx-lstm'],
  ['torch-recurrent', 'torch-recurrent'],
  ['torch-recurrent-fixed', 'torch-recurrent'],
]) {
  test(`the imported ${file}.onnx predicts its exporter's numbers, and so does its own export`, async () => {
    const { images, output } = await numbersOf(numbers!);
    const model = importOnnx(await bytesOf(file!)).model({ threads: 1 });
    assertClose(await predict(model, images), output);
    const { graph, weights } = exportModel(model);
    const session = await ort.InferenceSession.create(bake(graph, weights));
    const feeds = {
      [session.inputNames[0]!]: new ort.Tensor('float32', images.data as Float32Array, images.shape),
    };
    assertClose((await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array, output);
    await model.close();
  });
}

test('a training step on an imported model is the one that PyTorch does', async () => {
  const { images, y, loss, after } = await numbersOf('torch');
  const model = importOnnx(await bytesOf('torch')).model({ threads: 1 });
  model.compile({
    optimizer: sgd({ learningRate: 0.1 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const history = await model.fit(images, y, { batchSize: 2 });
  assertClose(history.loss, [loss]);
  assertClose(await predict(model, images), after);
  await model.close();
});

test('a new head is trained on a frozen base, whose weights stay', async () => {
  const { images } = await numbersOf('torch');
  const base = importOnnx(await bytesOf('torch'));
  const until = base.nodes.find(({ type }) => type === 'Tanh')!.name;
  const tuned = sequential([base.inputs()[0]!, base.layer({ until, freezeUntil: until }), dense(2)], {
    threads: 1,
    seed: 4,
  });
  tuned.compile({
    optimizer: sgd({ learningRate: 0.5 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const before = tuned.weights.slice();
  const history = await tuned.fit(images, [1, 0], { batchSize: 2, epochs: 200 });
  const [placed, head] = tuned.architecture.layers;
  const changed = (from: number, size: number) =>
    tuned.weights.subarray(from, from + size).some((value, index) => value !== before[from + index]);
  for (const { name, offset, size } of placed!.parameters)
    assert.ok(!changed(offset, size), `${name} is frozen`);
  assert.ok(changed(head!.parameters[0]!.offset, head!.parameters[0]!.size));
  assert.ok(
    history.loss.at(-1)! < 0.99 * history.loss[0]!,
    `the loss falls: ${history.loss[0]} to ${history.loss.at(-1)}`,
  );
  await tuned.close();
});

test('freezing an earlier node leaves the later ones to be trained', async () => {
  const base = importOnnx(await bytesOf('torch'));
  const gemms = base.nodes.filter(({ type }) => type === 'Gemm');
  const parameters = base.layer({ freezeUntil: gemms[0]!.name }).parameters(['N', 3, 12, 10]);
  assert.deepEqual(
    parameters.filter(({ isTrainable }) => isTrainable).map(({ name }) => name),
    ['fc2.weight', 'fc2.bias'],
  );
  const whole = base.layer().parameters(['N', 3, 12, 10]);
  assert.deepEqual(
    whole.filter(({ isTrainable }) => !isTrainable).map(({ name }) => name.replace(/.*\./, '')),
    ['running_mean', 'running_var'],
    'statistics are not trained',
  );
});

test('a node that is not there is refused with the names of the last ones', async () => {
  const base = importOnnx(await bytesOf('torch-mlp'));
  assert.throws(
    () => base.layer({ until: 'head' }),
    /Node "head" is not there; the last nodes are .*\(Softmax\)/,
  );
});
