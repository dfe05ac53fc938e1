import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  adam,
  type Callback,
  conv2d,
  dense,
  dropout,
  earlyStopping,
  flatten,
  input,
  maxPool2d,
  rescaling,
  type Sequential,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  syntheticImages,
  tensor,
} from './index.ts';

const data = syntheticImages({ train: 1500, test: 300, seed: 1 });
const { train, test: held } = data;

function makeModel({ seed = 0, rate = 0 } = {}): Sequential {
  const model = sequential(
    [
      input([32, 32, 3], { dtype: 'uint8' }),
      rescaling(1 / 255),
      conv2d(16, 3, { activation: 'relu' }),
      maxPool2d(2),
      conv2d(16, 3, { activation: 'relu' }),
      maxPool2d(2),
      flatten(),
      dropout(rate),
      dense(10),
    ],
    { seed, threads: 1 },
  );
  model.compile({
    optimizer: adam({ learningRate: 3e-3 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  return model;
}

test('a small network learns the generated images, and what it reports is so', async () => {
  const model = makeModel();
  const history = await model.fit(train.images, train.labels, {
    epochs: 5,
    validationData: [held.images, held.labels],
  });
  assert.deepEqual(Object.keys(history), ['loss', 'accuracy', 'val_loss', 'val_accuracy']);
  assert.ok(Object.values(history).every((figures) => figures!.length === 5));
  assert.ok(history.loss.at(-1)! < history.loss[0]! / 2, `loss ${history.loss}`);
  assert.ok(history.val_accuracy!.at(-1)! > 0.7, `validation accuracy ${history.val_accuracy}`);

  const { accuracy, loss } = await model.evaluate(held.images, held.labels, { batchSize: 77 });
  assert.equal(accuracy, history.val_accuracy!.at(-1));
  assert.ok(Math.abs(loss - history.val_loss!.at(-1)!) < 1e-5);

  const logits = await model.predict(held.images, { batchSize: 128 });
  assert.deepEqual(logits.shape, [300, 10]);
  const right = held.labels.filter((label, index) => {
    const row = [...logits.data.slice(index * 10, index * 10 + 10)].map(Number);
    return row.indexOf(Math.max(...row)) === label;
  });
  assert.equal(right.length / 300, accuracy);
  await model.close();
});

/** The weights after a short training. */
async function trained(seed: number): Promise<Float32Array> {
  const model = makeModel({ seed, rate: 0.2 });
  const few = tensor(train.images.data.slice(0, 100 * 3072), [100, 32, 32, 3]);
  await model.fit(few, train.labels.subarray(0, 100), { epochs: 2 });
  await model.close();
  return model.weights;
}

test('the same seed gives the same weights to the last bit, another seed others', async () => {
  const [first, again, other] = await Promise.all([trained(3), trained(3), trained(4)]);
  assert.ok(first.every(Number.isFinite));
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
});

/** A model so small that only the machinery takes time: 10 examples of 4 numbers. */
function tiny(threads = 1) {
  const model = sequential([input([4]), dense(3)], { threads });
  model.compile({ optimizer: sgd(), loss: sparseCategoricalCrossentropy({ fromLogits: true }) });
  const x = tensor(
    Float32Array.from({ length: 40 }, (_, index) => Math.sin(index)),
    [10, 4],
  );
  return { model, x, y: Array.from({ length: 10 }, (_, index) => index % 3) };
}

test('sgd on the whole set follows the gradient of softmax regression, worked out by hand', async () => {
  const { model, x, y } = tiny();
  const kernel = [...model.weights.slice(0, 12)];
  const step = new Array<number>(12).fill(0);
  for (let row = 0; row < 10; row += 1) {
    const features = [...x.data.slice(row * 4, row * 4 + 4)].map(Number);
    const logits = [0, 1, 2].map((k) => features.reduce((sum, f, i) => sum + f * kernel[i * 3 + k]!, 0));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    logits.forEach((logit, k) => {
      const error = Math.exp(logit) / total - (y[row] === k ? 1 : 0);
      features.forEach((f, i) => {
        step[i * 3 + k]! += (0.01 * f * error) / 10;
      });
    });
  }
  await model.fit(x, y, { batchSize: 10 });
  kernel.forEach((before, index) => {
    assert.ok(Math.abs(model.weights[index]! - (before - step[index]!)) < 1e-7);
  });
  await model.close();
});

test('the last batch may be smaller, and counts by its size', async () => {
  const { model, x, y } = tiny();
  const whole = await model.evaluate(x, y, { batchSize: 10 });
  const parts = await model.evaluate(x, y, { batchSize: 4 });
  assert.ok(Math.abs(whole.loss - parts.loss) < 1e-6);
  assert.equal(whole.accuracy, parts.accuracy);
  const seen: number[] = [];
  await model.fit(x, y, { batchSize: 4, callbacks: [{ onBatchEnd: (logs) => seen.push(logs.seen) }] });
  assert.equal(seen.at(-1), 10);
  await model.close();
});

test('training leaves the event loop free', async () => {
  const model = makeModel();
  let longestMs = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - last);
    last = nowMs;
  }, 1);
  // One batch of all images keeps onnxruntime busy for hundreds of milliseconds.
  const start = performance.now();
  await model.fit(train.images, train.labels, { batchSize: 1500 });
  const tookMs = performance.now() - start;
  clearInterval(ticker);
  assert.ok(longestMs < tookMs / 3, `the loop stood still for ${longestMs} ms of ${tookMs} ms`);
  await model.close();
});

test('a callback ends the training by stopTraining, an abort signal in the middle of an epoch', async () => {
  const { model, x, y } = tiny();
  const stopper: Callback = {
    onEpochEnd(epoch) {
      model.stopTraining = epoch === 1;
    },
  };
  const history = await model.fit(x, y, { epochs: 10, callbacks: [stopper] });
  assert.equal(history.loss.length, 2);

  const abort = new AbortController();
  const seen: number[] = [];
  const aborter: Callback = {
    onBatchEnd(logs) {
      seen.push(logs.seen);
      abort.abort();
    },
  };
  const big = makeModel();
  const before = big.weights.slice();
  const cut = await big.fit(train.images, train.labels, {
    epochs: 50,
    callbacks: [aborter],
    signal: abort.signal,
  });
  assert.deepEqual(cut.loss, [], 'no epoch came to its end');
  assert.notDeepEqual(big.weights, before, 'the steps done are kept');
  await Promise.all([model.close(), big.close()]);
});

test('validationSplit keeps the last examples for validation, and trains on the others only', async () => {
  const { model, x, y } = tiny();
  const { model: other } = tiny();
  const [head, tail] = [0, 1].map((part) =>
    tensor(x.data.slice(part * 28, part ? 40 : 28), [part ? 3 : 7, 4]),
  );
  const split = await model.fit(x, y, { epochs: 3, validationSplit: 0.3 });
  const expected = await other.fit(head!, y.slice(0, 7), { epochs: 3, validationData: [tail!, y.slice(7)] });
  assert.deepEqual(split, expected);
  await assert.rejects(
    model.fit(x, y, { validationSplit: 0.95 }),
    /0\.95 of 10 examples leaves a part empty/,
  );
  await assert.rejects(model.fit(x, y, { validationSplit: 2 }), /must be between 0 and 1/);
  await Promise.all([model.close(), other.close()]);
});

test('early stopping ends fit() and leaves the weights of the best epoch', async () => {
  const { model, x, y } = tiny();
  // Steps this long overshoot, so the loss soon rises.
  model.compile({
    optimizer: sgd({ learningRate: 1e3 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const stop = earlyStopping({ patience: 2, restoreBestWeights: true });
  const history = await model.fit(x, y, { epochs: 200, validationData: [x, y], callbacks: [stop] });
  assert.ok(history.val_loss!.length < 200);
  const { loss } = await model.evaluate(x, y);
  assert.ok(Math.abs(loss - Math.min(...history.val_loss!)) <= 1e-6 * loss);
  await model.close();
});

test('a callback may evaluate and predict while the training waits for it', async () => {
  const { model, x, y } = tiny();
  const losses: number[] = [];
  const evaluator: Callback = {
    async onEpochEnd() {
      const [{ loss }, { shape }] = await Promise.all([model.evaluate(x, y), model.predict(x)]);
      assert.deepEqual(shape, [10, 3]);
      losses.push(loss);
    },
  };
  const { val_loss } = await model.fit(x, y, { epochs: 3, validationData: [x, y], callbacks: [evaluator] });
  assert.deepEqual(losses, val_loss, 'it sees the weights of the epoch that has just ended');
  await model.close();
});

test('a model is trained or compiled by one call at a time', async () => {
  const { model, x, y } = tiny();
  const first = model.fit(x, y);
  await assert.rejects(model.fit(x, y), /fit\(\) is already running on sequential: await it first/);
  const loss = sparseCategoricalCrossentropy({ fromLogits: true });
  assert.throws(() => model.compile({ optimizer: sgd(), loss }), /compile\(\) while fit\(\) is running/);
  await first;
  await model.close();
});

test('an error thrown by a callback rejects fit, and the model still works', async () => {
  const { model, x, y } = tiny();
  const fail = () => {
    throw new Error('disk full');
  };
  await assert.rejects(model.fit(x, y, { epochs: 3, callbacks: [{ onEpochEnd: fail }] }), /disk full/);
  await assert.rejects(model.fit(x, y, { epochs: 3, callbacks: [{ onBatchEnd: fail }] }), /disk full/);
  assert.ok((await model.evaluate(x, y)).loss > 0);
  await model.close();
});

test('a closed model starts again when it is used', async () => {
  const { model, x, y } = tiny();
  const before = await model.evaluate(x, y);
  await model.close();
  await model.close();
  assert.deepEqual(await model.evaluate(x, y), before);
  await model.close();
});

test('close() ends a training, and jobs that come meanwhile run in another thread', async () => {
  const model = makeModel();
  const training = model.fit(train.images, train.labels, { epochs: 1000 });
  await new Promise<void>((resolve) => setImmediate(resolve));
  const [history, , { loss }] = await Promise.all([
    training,
    model.close(),
    model.evaluate(held.images, held.labels),
  ]);
  assert.deepEqual(history.loss, []);
  assert.ok(loss > 0);
  await model.close();
});

test('a process may exit in the middle of a training, with the code it chooses', async () => {
  const script = `
    import { adam, dense, flatten, input, sequential, sparseCategoricalCrossentropy, syntheticImages }
      from ${JSON.stringify(import.meta.resolve('./portable.ts'))};
    import ${JSON.stringify(import.meta.resolve('./index.ts'))};
    const { train } = syntheticImages({ train: 1000, test: 0 });
    const model = sequential([input([32, 32, 3], { dtype: 'uint8' }), flatten(), dense(1024), dense(10)]);
    model.compile({ optimizer: adam(), loss: sparseCategoricalCrossentropy({ fromLogits: true }) });
    const callbacks = [{ onBatchEnd: () => setTimeout(() => process.exit(7), 20) }];
    await model.fit(train.images, train.labels, { epochs: 10_000, batchSize: 100, callbacks });`;
  // Batches take long, so that the exit falls into the work of onnxruntime.
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' });
  const [code, signal] = await once(child, 'exit');
  assert.deepEqual([code, signal], [7, null]);
});

test('data that do not fit the model are refused with the reason', async () => {
  const { model, x, y } = tiny();
  const narrow = tensor(new Float32Array(6), [2, 3]);
  await assert.rejects(
    model.predict(narrow),
    /predict got inputs of shape \[2, 3\], the model takes \[N, 4\]/,
  );
  await assert.rejects(model.fit(x, y.slice(1)), /fit got 10 examples but 9 labels/);
  await assert.rejects(model.fit(x, y.with(3, 7)), /label 7 at index 3: the model has 3 classes, 0 to 2/);
  await assert.rejects(model.fit(x, y, { epochs: 0 }), /epochs must be a whole number above 0/);
  const bytes = tensor(new Uint8Array(8), [2, 4]);
  await assert.rejects(
    model.predict(bytes),
    /got uint8 inputs, the model takes float32: declare input\(\[4\]/,
  );
  await assert.rejects(model.predict(tensor(new Float32Array(0), [0, 4])), /got no examples/);
  assert.throws(() => tensor(new Float32Array(5), [2, 3]), /needs 6 elements, got 5/);
  assert.throws(() => (model.weights = new Float32Array(3)), /15 parameters, got 3 weights/);
  const raw = sequential([input([4]), dense(3)]);
  await assert.rejects(raw.fit(x, y), /fit\(\) needs a compiled model: call compile/);
});

test('summary() lists layers, shapes and parameter counts', () => {
  const lines = tiny().model.summary().split('\n');
  assert.deepEqual(lines.slice(3, 4), ['dense (Dense)  [N, 3]                15']);
  assert.equal(lines.at(-1), 'Parameters: 15 (0.1 KiB)');
});
