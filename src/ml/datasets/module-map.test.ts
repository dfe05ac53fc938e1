import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMainThread, threadId } from 'node:worker_threads';
import * as ml from '../index.ts';

const module = new URL('../fixtures/modules/changes.ts', import.meta.url);
const examples = (count: number) =>
  ml.fromIterable<ml.Example>(() =>
    Array.from({ length: count }, (_, index) => {
      return { x: ml.tensor(Float32Array.of(index), [1]), y: index, source: `row ${index}` };
    }),
  );
const numbers = (count: number) => ml.fromIterable(() => Array.from({ length: count }, (_, index) => index));
const all = <T>(dataset: ml.Dataset<T>, epoch = 0): Promise<T[]> => Array.fromAsync(dataset.pass(epoch));

test('the function of a module changes elements in another thread, with the random numbers of this one', async () => {
  type Changed = { y: number; index: number; drawn: number; threadId: number };
  const here = await all(
    examples(9).map((_, { random }) => random(), { seed: 4 }),
    2,
  );
  const there = await all(examples(9).map<Changed>(module, { seed: 4, threads: 2 }), 2);
  assert.deepEqual(
    there.map(({ drawn }) => drawn),
    here,
  );
  assert.deepEqual(
    there.map(({ y, index }) => [y, index]),
    here.map((_, index) => [index, index]),
  );
  assert.ok(isMainThread && there.every((element) => element.threadId !== threadId));
  assert.equal(new Set(there.map((element) => element.threadId)).size, 2);
});

test('elements keep their order, and no more of them are drawn ahead than were allowed', async () => {
  let drawn = 0;
  const counted = ml.fromIterable(function* () {
    for (;;) {
      yield drawn;
      drawn += 1;
    }
  });
  const changed = counted.map<number>(module, { name: 'late', threads: 2, parallel: 6 });
  const taken: number[] = [];
  for await (const number of changed.take(20)) {
    taken.push(number);
    assert.ok(drawn <= taken.length + 6, `${drawn} drawn for ${taken.length}`);
  }
  assert.deepEqual(
    taken,
    Array.from({ length: 20 }, (_, index) => index * 10),
  );
});

test('a model is trained on what a module makes', async () => {
  const model = ml.sequential([ml.input([1]), ml.dense(1)], { threads: 1 });
  model.compile({ optimizer: ml.sgd(), loss: ml.meanSquaredError() });
  // Single numbers are values as well as class numbers, as they are in arrays.
  const dataset = examples(8).map<ml.Example>(module, { threads: 1 }).batch(4);
  const { loss } = await model.fit(dataset, { epochs: 3 });
  assert.ok(loss[2]! < loss[0]!, `${loss}`);
  await model.close();
});

test('an error names the module and the place of its element, and comes after the elements before it', async () => {
  const seen: unknown[] = [];
  const failing = examples(9).map<ml.Example>(module, { name: 'fails', threads: 2 });
  await assert.rejects(async () => {
    for await (const { y } of failing) seen.push(y);
  }, /^Error: map\(changes\.ts\), element 3 \(row 3\): three is too many$/);
  assert.deepEqual(seen, [0, 1, 2]);
});

test('a module that cannot be used says why', async () => {
  const by = (url: URL, name?: string) =>
    all(numbers(2).map(url, { ...(name && { name }), threads: 1 })).then(() => {});
  await assert.rejects(
    by(module, 'blur'),
    /^Error: map\(changes\.ts\): it has no function "blur"; it exports default, ends, fails,/,
  );
  await assert.rejects(by(module, 'notAFunction'), /has no function "notAFunction"/);
  await assert.rejects(by(new URL('./absent.ts', module)), /^Error: map\(absent\.ts\): it can't be loaded: /);
  await assert.rejects(by(module, 'gives'), /map\(changes\.ts\), element 0: .*could not be cloned/);
  await assert.rejects(by(module, 'ends'), /map\(changes\.ts\), element \d: a thread ended with code 7/);
  const unclonable = ml.fromIterable(() => [{ x: () => 1 }]).map(module, { threads: 1 });
  await assert.rejects(all(unclonable), /map\(changes\.ts\), element 0: .*could not be cloned/);
  assert.throws(() => numbers(2).map(module, { threads: 0 }), /map: threads\(0\): the number must be/);
});
