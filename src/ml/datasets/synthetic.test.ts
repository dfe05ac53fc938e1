import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syntheticImages } from './synthetic.ts';

test('the same seed gives the same images, another seed others', () => {
  const make = (seed: number) => syntheticImages({ train: 20, test: 10, seed });
  assert.deepEqual(make(1), make(1));
  assert.notDeepEqual(make(1).train.images, make(2).train.images);
});

test('the sets have the asked sizes, all ten classes, and no image twice', () => {
  const { train, test: held, classNames, source } = syntheticImages({ train: 40, test: 20 });
  assert.deepEqual(
    [train.images.shape, held.images.shape],
    [
      [40, 32, 32, 3],
      [20, 32, 32, 3],
    ],
  );
  assert.equal(new Set(held.labels).size, 10);
  assert.equal(classNames.length, 10);
  assert.equal(source, 'generated');
  const images = [train, held].flatMap(({ images: { data }, labels }) =>
    Array.from(labels, (_, index) => data.slice(index * 3072, (index + 1) * 3072).join()),
  );
  assert.equal(new Set(images).size, 60);
});

test('mean colour does not tell the classes apart', () => {
  const { train } = syntheticImages({ train: 2000, test: 0, seed: 3 });
  const sums = new Array<number>(10).fill(0);
  train.labels.forEach((label, index) => {
    const image = train.images.data.subarray(index * 3072, (index + 1) * 3072) as Uint8Array;
    sums[label]! += image.reduce((total, value) => total + value, 0) / 3072 / 200;
  });
  const spread = Math.max(...sums) - Math.min(...sums);
  assert.ok(spread < 25, `class means ${sums.map(Math.round)} (deviation within a class is about 40)`);
});
