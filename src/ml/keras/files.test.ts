import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as ml from '../index.ts';
import {
  batchNormalization,
  conv2d,
  decodeKeras,
  decodeKerasWeights,
  dense,
  encodeKeras,
  flatten,
  fromJSON,
  input,
  loadKerasWeights,
  loadModel,
  type Sequential,
  saveKerasWeights,
  saveModel,
  sequential,
  tensor,
  toJSON,
} from '../index.ts';
import { randomGenerator } from '../random.ts';
import { decodeCompileConfig } from './compile-config.ts';
import { unzip, zip } from './zip.ts';

const fixtures = new URL('../fixtures/keras-files/', import.meta.url);
const bytesOf = (name: string) => readFile(new URL(name, fixtures));

/** Inputs, and what Keras predicted from them. */
async function numbersOf(name: string): Promise<{ inputs: number[][]; output: number[] }> {
  return JSON.parse(await readFile(new URL(`${name}.json`, fixtures), 'utf8'));
}

async function assertPredicts(model: Sequential, name: string): Promise<void> {
  const { inputs, output } = await numbersOf(name);
  const x = model.architecture.inputs.map(({ input: { shape, dtype } }, index) => {
    const data = dtype === 'int32' ? Int32Array.from(inputs[index]!) : Float32Array.from(inputs[index]!);
    return tensor(data, [2, ...shape]);
  });
  const predicted = await model.predict(x.length === 1 ? x[0]! : x);
  await model.close();
  assert.equal(predicted.data.length, output.length);
  output.forEach((value, index) => {
    const ours = Number(predicted.data[index]);
    assert.ok(
      Math.abs(ours - value) <= 1e-5 * Math.max(1, Math.abs(value)),
      `${index}: ${ours}, Keras ${value}`,
    );
  });
}

for (const [file, numbers] of [
  ['stack.keras', 'stack'],
  ['stack.h5', 'stack'],
  ['trained.h5', 'trained'],
  ['branches.keras', 'branches'],
  ['branches.h5', 'branches'],
  ['sequences.keras', 'sequences'],
  ['sequences.h5', 'sequences'],
  ['keras2.h5', 'keras2'],
  ['keras2-branches.h5', 'keras2-branches'],
]) {
  test(`${file}, which Keras wrote, predicts Keras' numbers`, async () => {
    await assertPredicts(await loadModel(new URL(file!, fixtures), { threads: 1 }), numbers!);
  });
}

test('weights that Keras 3 and Keras 2 wrote go into a model of the same layers', async () => {
  const model = fromJSON(toJSON(await loadModel(new URL('stack.keras', fixtures))), { threads: 1 });
  await loadKerasWeights(model, new URL('stack.weights.h5', fixtures));
  await assertPredicts(model, 'stack');
  const small = sequential([input([3]), dense(2), dense(2)], { threads: 1 });
  await decodeKerasWeights(small, await bytesOf('keras2-weights.weights.h5'));
  await assertPredicts(small, 'keras2-weights');
});

test('a model comes back from each format as it was', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'selvage-keras-'));
  const model = sequential(
    [
      input([6, 6, 3], { dtype: 'uint8' }),
      conv2d(2, 3, { name: 'eyes', strides: [2, 1], activation: 'silu' }),
      batchNormalization({ momentum: 0.9, center: false }),
      flatten(),
      dense(3),
      dense(2, { useBias: false }),
    ],
    { name: 'small' },
  );
  const random = randomGenerator(3);
  model.weights = Float32Array.from(model.weights, () => random());
  for (const name of ['small.keras', 'small.h5']) {
    await saveModel(model, join(folder, name));
    const back = await loadModel(join(folder, name));
    assert.deepEqual(back.weights, model.weights, name);
    assert.deepEqual(toJSON(back), toJSON(model), name);
    assert.equal(back.summary(), model.summary(), name);
  }
  await saveKerasWeights(model, join(folder, 'small.weights.h5'));
  const fresh = fromJSON(JSON.stringify(toJSON(model)));
  await loadKerasWeights(fresh, join(folder, 'small.weights.h5'));
  assert.deepEqual(fresh.weights, model.weights);
  assert.deepEqual(
    await encodeKeras(model),
    await encodeKeras(back(model)),
    'and gives the same bytes again',
  );
  await rm(folder, { recursive: true });

  function back(from: Sequential): Sequential {
    const copy = fromJSON(toJSON(from));
    copy.weights = from.weights;
    return copy;
  }
});

/** A Keras configuration with one layer after the input. */
const withLayer = (type: string, config: Record<string, unknown>, shape = [4, 4, 2]) => ({
  class_name: 'Sequential',
  config: {
    name: 'm',
    layers: [
      { class_name: 'InputLayer', config: { batch_shape: [null, ...shape], name: 'in' } },
      { class_name: type, config: { name: 'it', ...config } },
    ],
  },
});

test('a layer or argument that is not supported is named, with its place', () => {
  const refused: [unknown, RegExp][] = [
    [
      withLayer('ConvLSTM2D', {}),
      /^Error: layer 1 "it": ConvLSTM2D is not supported; supported are Activation, /,
    ],
    [
      withLayer('Dense', { units: 2, kernel_constraint: { class_name: 'NonNeg' } }),
      /layer 1 "it": Dense's argument kernel_constraint = .*NonNeg.* is not supported/,
    ],
    [
      withLayer('Conv2D', { filters: 2, kernel_size: 3, data_format: 'channels_first' }),
      /argument data_format = "channels_first" is not supported/,
    ],
    [
      withLayer('Conv2D', { filters: 2, kernel_size: [9, 9] }),
      /layer 1 "it": Conv2D\(2, 9x9\) does not fit into 4x4 pixels/,
    ],
    [withLayer('BatchNormalization', { axis: [1] }), /argument axis = \[1\] is not supported/],
    [
      withLayer('Activation', { activation: 'hard_shrink' }),
      /layer 1 "it": There is no activation "hard_shrink"/,
    ],
    [
      withLayer('Activation', { activation: 'relu', dtype: 'float16' }),
      /argument dtype = "float16" is not supported/,
    ],
    [
      withLayer('Flatten', {}, [4, null as unknown as number]),
      /\[, 4, \] is open: only the batch dimension may be/,
    ],
    [{ class_name: 'Sequential', config: { layers: [] } }, /no list of layers/],
    [{ class_name: 'Sequential', config: { layers: [{}] } }, /layer 0 has no class_name and config/],
    [{ class_name: 'Wizard', config: {} }, /A Wizard model is not supported/],
    [null, /the model has no class_name and config/],
    [withLayer('Dense', { units: 1e9 }, [1e6]), /declares 1000001000000000 parameters/],
  ];
  for (const [json, message] of refused) assert.throws(() => fromJSON(json), message);
});

test('a layer that Keras cannot name is refused when the model is saved', async () => {
  const model = sequential([input([3]), Object.assign(dense(2, { name: 'mine' }), { type: 'Mine' })]);
  await assert.rejects(encodeKeras(model), /layer 1 "mine": Keras has no layer Mine/);
});

test('weights that do not fit are refused with the layer, and the model stays as it was', async () => {
  const model = sequential([input([3]), dense(2), dense(3)]);
  const before = model.weights.slice();
  const file = new URL('keras2-weights.weights.h5', fixtures);
  await assert.rejects(
    loadKerasWeights(model, file),
    /keras2-weights.weights.h5: layer 2 "dense_1" needs kernel \[2, 3\], the file has it as \[2, 2\]/,
  );
  assert.deepEqual(model.weights, before);
});

test('damaged files are refused in words', async () => {
  await assert.rejects(
    decodeKeras(new Uint8Array(50)),
    /neither a .keras file \(ZIP\) nor an .h5 file \(HDF5\)/,
  );
  const weights = await bytesOf('stack.weights.h5');
  await assert.rejects(decodeKeras(weights), /no model_config: it holds weights alone/);
  const whole = await bytesOf('stack.keras');
  await assert.rejects(decodeKeras(whole.subarray(0, 300)), /ZIP archive cannot be read/);
  await assert.rejects(
    decodeKeras((await bytesOf('stack.h5')).subarray(0, 900)),
    /not an HDF5 file, or it is damaged/,
  );
});

test('files with random bytes changed load or are refused, and never crash', {
  timeout: 120_000,
}, async () => {
  const seed = 20261123;
  const random = randomGenerator(seed);
  for (const name of ['trained.h5', 'stack.keras']) {
    const bytes = await bytesOf(name);
    for (let round = 0; round < 60; round += 1) {
      const damaged = Uint8Array.from(bytes);
      const count = 1 + Math.floor(random() * 8);
      for (let change = 0; change < count; change += 1) {
        damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      }
      const cut = random() < 0.3 ? damaged.subarray(0, Math.floor(random() * damaged.length)) : damaged;
      try {
        await (await decodeKeras(cut)).close();
      } catch (error) {
        assert.ok(
          error instanceof Error && error.message.length > 0,
          `seed ${seed}, ${name}, round ${round}`,
        );
      }
    }
  }
});

test('a model that Keras compiled is trained on as Keras goes on with it', async () => {
  const { x, kind, size, history } = JSON.parse(String(await bytesOf('compiled.json'))) as Record<
    'x' | 'kind' | 'size',
    number[]
  > & { history: Record<string, number[]> };
  const model = await ml.loadModel(new URL('compiled.keras', fixtures));
  const targets = { kind, size: ml.tensor(Float32Array.from(size), [6, 1]) };
  const found = await model.fit(ml.tensor(Float32Array.from(x), [6, 3]), targets, {
    batchSize: 3,
    epochs: 3,
    shuffle: false,
  });
  await model.close();
  assert.deepEqual(Object.keys(found).sort(), Object.keys(history).sort());
  for (const [name, figures] of Object.entries(history))
    figures.forEach((figure, epoch) => {
      assert.ok(Math.abs(found[name]![epoch]! - figure) < 1e-5, `${name}: ${found[name]}, not ${figures}`);
    });
});

test("what a file's optimizer, loss or metrics have that is not supported is named where the model is to be trained", async () => {
  const adam = { class_name: 'Adam', config: { learning_rate: 0.01, beta_1: 0.8, use_ema: false } };
  const { optimizer, loss } = decodeCompileConfig({ optimizer: adam, loss: 'mse', metrics: null });
  assert.deepEqual([optimizer.name, optimizer.learningRate], ['adam', 0.01]);
  assert.equal((loss as ml.Loss).name, 'mean_squared_error');
  const compiled = (changes: object) => () =>
    decodeCompileConfig({ optimizer: adam, loss: 'mse', ...changes });
  assert.throws(compiled({ loss: 'hinge' }), /the loss "hinge" is not supported/);
  assert.throws(compiled({ optimizer: 'adagrad' }), /the optimizer "adagrad" is not supported/);
  assert.throws(compiled({ metrics: ['accuracy', 'MeanIoU'] }), /the metric "MeanIoU" is not supported/);
  const averaged = { ...adam, config: { use_ema: true } };
  assert.throws(compiled({ optimizer: averaged }), /the optimizer Adam's use_ema: true is not supported/);

  const model = ml.sequential([ml.input([2]), ml.dense(1)]);
  const bytes = await ml.encodeKeras(model);
  const files = await unzip(bytes, ['metadata.json', 'config.json', 'model.weights.h5']);
  const config = JSON.parse(new TextDecoder().decode(files.get('config.json')));
  const text = JSON.stringify({ ...config, compile_config: { optimizer: 'sgd', loss: 'hinge' } });
  const changed = await zip({ ...Object.fromEntries(files), 'config.json': new TextEncoder().encode(text) });
  const loaded = await ml.decodeKeras(changed);
  const x = ml.tensor(new Float32Array(4), [2, 2]);
  assert.deepEqual((await loaded.predict(x)).shape, [2, 1]);
  await assert.rejects(
    loaded.fit(x, [0, 1]),
    /call compile\(\{ optimizer, loss \}\) first; as its file says it can't be: the loss "hinge" is not supported/,
  );
  await Promise.all([model.close(), loaded.close()]);
});
