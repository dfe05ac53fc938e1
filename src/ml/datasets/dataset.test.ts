import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import * as ml from '../index.ts';

const numbers = (count: number) =>
  ml.fromIterable(function* () {
    for (let number = 0; number < count; number += 1) yield number;
  });
const all = <T>(dataset: ml.Dataset<T>, epoch = 0): Promise<T[]> => Array.fromAsync(dataset.pass(epoch));

test('map, filter, take, skip and repeat do what their names say', async () => {
  const dataset = numbers(6).map((number) => number * 10);
  assert.deepEqual(await all(dataset.filter((number) => number !== 20)), [0, 10, 30, 40, 50]);
  assert.deepEqual(await all(dataset.take(2)), [0, 10]);
  assert.deepEqual(await all(dataset.skip(4)), [40, 50]);
  assert.deepEqual(await all(dataset.take(2).repeat(2)), [0, 10, 0, 10]);
  assert.deepEqual(await all(numbers(2).repeat().take(5)), [0, 1, 0, 1, 0]);
  assert.deepEqual(await all(numbers(0).repeat()), []);
});

test('shuffle keeps every element, mixes within its buffer, anew each epoch and the same for one seed', async () => {
  const mixed = numbers(100).shuffle(10, { seed: 1 });
  const first = await all(mixed);
  assert.deepEqual(
    first.toSorted((a, b) => a - b),
    await all(numbers(100)),
  );
  assert.ok(
    first.every((number, place) => number < place + 10),
    'none comes before it was in the buffer',
  );
  assert.notDeepEqual(first, await all(numbers(100)));
  assert.deepEqual(await all(numbers(100).shuffle(10, { seed: 1 })), first);
  assert.notDeepEqual(await all(mixed, 1), first);
  assert.notDeepEqual(await all(numbers(100).shuffle(10, { seed: 2 })), first);
  const fixed = numbers(100).shuffle(10, { reshuffleEachIteration: false });
  assert.deepEqual(await all(fixed, 1), await all(fixed));
  const rounds = await all(numbers(20).shuffle(20).repeat(2));
  assert.notDeepEqual(rounds.slice(0, 20), rounds.slice(20));
});

test('the random numbers of map depend on seed, epoch and place, and differ from stage to stage', async () => {
  const dataset = numbers(50).map((_, { random }) => random());
  const twice = numbers(50)
    .map((_, { random }) => random())
    .map((first, { random }) => [first, random()]);
  const drawn = await all(dataset);
  assert.deepEqual(await all(dataset), drawn);
  assert.notDeepEqual(await all(dataset, 1), drawn);
  assert.equal(new Set(drawn).size, 50);
  assert.ok((await all(twice)).every(([first, second]) => first !== second));
  assert.notDeepEqual(await all(numbers(50).map((_, { random }) => random(), { seed: 1 })), drawn);
});

test('a parallel map works on several at a time and keeps their order', async () => {
  let running = 0;
  let most = 0;
  const slow = numbers(12).map(
    async (number) => {
      running += 1;
      most = Math.max(most, running);
      await wait(number % 3);
      running -= 1;
      return number;
    },
    { parallel: 4 },
  );
  assert.deepEqual(await all(slow), await all(numbers(12)));
  assert.equal(most, 4);
});

test('no stage draws more of an endless source than it needs', async () => {
  let drawn = 0;
  const endless = ml.fromIterable(function* () {
    for (;;) {
      drawn += 1;
      yield { x: ml.tensor(Float32Array.of(drawn), [1]), y: 0 };
    }
  });
  const batches = endless
    .shuffle(8)
    .map((example) => example, { parallel: 2 })
    .batch(4)
    .prefetch(2)
    .take(3);
  assert.equal((await all(batches)).length, 3);
  assert.ok(drawn <= 8 + 2 + 4 * (3 + 2) + 1, `${drawn} elements were drawn`);
});

test('a source is closed when a pass ends early', async () => {
  let isClosed = false;
  const source = ml.fromIterable(async function* () {
    try {
      for (;;) yield 1;
    } finally {
      isClosed = true;
    }
  });
  await all(
    source
      .prefetch(3)
      .map((one) => one)
      .take(2),
  );
  assert.ok(isClosed);
});

test('cache reads its source once, and refuses to grow beyond its bound', async () => {
  let passes = 0;
  const x = ml.tensor(new Float32Array(40), [10, 4]);
  const source = ml.fromTensors(x, new Uint8Array(10)).map((example, { index }) => {
    if (index === 0) passes += 1;
    return example;
  });
  const cached = source.cache();
  assert.equal((await all(cached.take(3))).length, 3, 'a pass that ended early is not kept');
  assert.equal((await all(cached)).length, 10);
  assert.equal((await all(cached, 1)).length, 10);
  assert.equal(passes, 2);
  await assert.rejects(all(source.cache({ bytesMax: 50 })), /at most 50 bytes, and element 3 goes beyond/);
});

test('batch joins examples, counts them and names one that does not fit', async () => {
  const x = ml.tensor(
    Float32Array.from({ length: 10 }, (_, index) => index),
    [5, 2],
  );
  const dataset = ml.fromTensors(x, [0, 1, 2, 3, 4]);
  const batches = await all(dataset.batch(2));
  assert.deepEqual(
    batches.map(({ x, y }) => [[...x.shape], [...y.data]]),
    [
      [
        [2, 2],
        [0, 1],
      ],
      [
        [2, 2],
        [2, 3],
      ],
      [[1, 2], [4]],
    ],
  );
  assert.equal((await all(dataset.batch(2, { dropRemainder: true }))).length, 2);
  assert.equal(dataset.batch(2, { dropRemainder: true }).examples, 4);
  const uneven = ml.fromIterable(function* () {
    for (const length of [2, 3])
      yield { x: ml.tensor(new Float32Array(length), [length]), y: 0, source: `line ${length}` };
  });
  await assert.rejects(all(uneven.batch(2)), /line 3 is float32 \[3\], the batch began with float32 \[2\]/);
  assert.throws(() => dataset.batch(0), /batch\(0\): the number must be a whole one above 0/);
});

function makeModel(): ml.Sequential {
  const model = ml.sequential([ml.input([4]), ml.dense(3)], { threads: 1 });
  model.compile({ optimizer: ml.adam(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
  return model;
}

const x = ml.tensor(
  Float32Array.from({ length: 400 }, (_, index) => Math.sin(index)),
  [100, 4],
);
const y = Array.from({ length: 100 }, (_, index) => index % 3);

test('a model learns from a data set what it learns from the arrays, and is evaluated alike', async () => {
  const [byArrays, byDataset] = [makeModel(), makeModel()];
  const dataset = ml.fromTensors(x, y).batch(16);
  const options = { epochs: 2, validationData: dataset };
  const history = await byDataset.fit(dataset, options);
  assert.deepEqual(await byArrays.fit(x, y, { ...options, shuffle: false, batchSize: 16 }), history);
  assert.deepEqual(byDataset.weights, byArrays.weights);
  assert.deepEqual(await byDataset.evaluate(dataset), await byArrays.evaluate(x, y, { batchSize: 16 }));
  assert.deepEqual(await byDataset.predict(dataset), await byArrays.predict(x, { batchSize: 16 }));
  await Promise.all([byArrays.close(), byDataset.close()]);
});

test('an error in a data set rejects fit with its own words, and the model still works', async () => {
  const model = makeModel();
  const failing = ml.fromTensors(x, y).map((example, { index }) => {
    if (index === 70) throw new Error('record 70 is damaged');
    return example;
  });
  await assert.rejects(model.fit(failing.batch(10)), /record 70 is damaged/);
  const wrong = ml.fromTensors(x, y.with(25, 9)).batch(10);
  await assert.rejects(model.fit(wrong), /fit, batch 2 of the data set, got label 9 at index 5/);
  await assert.rejects(model.fit(ml.fromTensors(x, y)), /no batches: call batch\(size\) on it/);
  await assert.rejects(
    model.fit(
      numbers(0)
        .map(() => ({}) as ml.Example)
        .batch(2),
    ),
    /has no batch/,
  );
  await assert.rejects(model.fit(ml.fromTensors(x).batch(10)), /got 10 examples but 0 labels/);
  assert.ok((await model.fit(ml.fromTensors(x, y).batch(10))).loss[0]! > 0);
  await model.close();
});

test('training on a data set leaves the event loop free', async () => {
  const model = makeModel();
  const busy = ml
    .fromTensors(x, y)
    .repeat(20)
    .map((example) => {
      // Half a millisecond of work an example, as augmentation has: 250 ms a batch.
      for (const until = performance.now() + 0.5; performance.now() < until; );
      return example;
    });
  let longestMs = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 1);
  const start = performance.now();
  await model.fit(busy.batch(500));
  const tookMs = performance.now() - start;
  clearInterval(ticker);
  assert.ok(longestMs < tookMs / 3, `the loop stood still for ${longestMs} ms of ${tookMs} ms`);
  await model.close();
});

test('a data set far larger than what it may hold is trained on within bounds', async (context) => {
  const [count, width] = [16_000, 4096];
  const model = ml.sequential([ml.input([width]), ml.dense(3)], { threads: 1 });
  model.compile({ optimizer: ml.sgd(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
  let most = 0;
  const stream = ml.fromIterable(function* () {
    for (let index = 0; index < count; index += 1) {
      if (index % 100 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers);
      yield { x: ml.tensor(new Float32Array(width), [width]), y: index % 3 };
    }
  });
  const before = process.memoryUsage().arrayBuffers;
  await model.fit(stream.shuffle(500).batch(50));
  const [megabytes, all] = [(most - before) / 1e6, (count * width * 4) / 1e6];
  context.diagnostic(`${megabytes.toFixed(0)} MB of arrays at once, of ${all.toFixed(0)} MB in all`);
  assert.ok(megabytes < all / 2);
  await model.close();
});
