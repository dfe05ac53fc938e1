import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ml from '../index.ts';
import { randomGenerator } from '../random.ts';

/** 3 x 4 pixels of one channel, 10 to 21. */
const image = (): ml.Example => ({
  x: ml.tensor(
    Uint8Array.from({ length: 12 }, (_, index) => index + 10),
    [3, 4, 1],
  ),
  y: 1,
  source: 'a.png',
});
const fixed = (...values: number[]) => ({ random: () => values.shift()! });
const rows = ({ x: { shape, data } }: ml.Example): number[][] =>
  Array.from({ length: shape[0]! }, (_, row) =>
    [...data.slice(row * shape[1]!, (row + 1) * shape[1]!)].map(Number),
  );

test('randomFlip mirrors half of the images', () => {
  assert.deepEqual(rows(ml.randomFlip()(image(), fixed(0.4)))[0], [13, 12, 11, 10]);
  assert.deepEqual(ml.randomFlip()(image(), fixed(0.6)), image());
  assert.deepEqual(rows(ml.randomFlip('vertical')(image(), fixed(0.4)))[0], [18, 19, 20, 21]);
  const both = ml.randomFlip('horizontal_and_vertical')(image(), fixed(0.1, 0.1));
  assert.deepEqual(both.x.data, Uint8Array.from(image().x.data as Uint8Array).reverse());
});

test('randomCrop cuts a part out, of the padding too', () => {
  assert.deepEqual(rows(ml.randomCrop(2, 2)(image(), fixed(0.9, 0.5))), [
    [15, 16],
    [19, 20],
  ]);
  assert.deepEqual(rows(ml.randomCrop(3, 4, { padding: 1 })(image(), fixed(0, 0))), [
    [0, 0, 0, 0],
    [0, 10, 11, 12],
    [0, 14, 15, 16],
  ]);
  assert.throws(() => ml.randomCrop(5, 2)(image(), fixed(0, 0)), /randomCrop\(5, 2\) got a\.png of 3 x 4/);
});

test('randomRotation turns about the middle', () => {
  const square = { x: ml.tensor(Float32Array.of(1, 2, 3, 4), [2, 2, 1]) };
  const turned = [...ml.randomRotation(0.25)(square, fixed(1)).x.data].map(Number);
  assert.deepEqual(
    turned.map(Math.round),
    [3, 1, 4, 2].toSorted((a, b) => turned.indexOf(a) - turned.indexOf(b)),
  );
  const half = ml.randomRotation(0.5)(image(), fixed(1)).x.data as Uint8Array;
  assert.deepEqual(half, Uint8Array.from(image().x.data as Uint8Array).reverse());
  assert.deepEqual(ml.randomRotation(0.5)(image(), fixed(0.5)).x, image().x);
});

test('brightness, contrast and saturation move colours within their range', () => {
  assert.equal(ml.randomBrightness(0.1)(image(), fixed(1)).x.data[0], 36, '10 + 25.5');
  assert.equal(ml.randomBrightness(1)(image(), fixed(0)).x.data[0], 0);
  assert.deepEqual(
    [...ml.randomContrast(1)(image(), fixed(0)).x.data],
    new Array(12).fill(16),
    'all at the mean',
  );
  assert.equal(ml.randomContrast(1)(image(), fixed(1)).x.data[11], 27, '15.5 + 2 · 5.5, rounded');
  const red = { x: ml.tensor(Uint8Array.of(200, 0, 0), [1, 1, 3]) };
  assert.deepEqual([...ml.randomSaturation(1)(red, fixed(0)).x.data], [60, 60, 60]);
  assert.deepEqual([...ml.randomSaturation(1)(red, fixed(0.5)).x.data], [200, 0, 0]);
});

test('cutOut blackens a square, at the border a part of one', () => {
  assert.deepEqual(rows(ml.cutOut(2)(image(), fixed(0.4, 0))), [
    [0, 11, 12, 13],
    [0, 15, 16, 17],
    [18, 19, 20, 21],
  ]);
});

test('mixup blends examples and targets by the same share', () => {
  const x = ml.tensor(Float32Array.of(0, 1), [2, 1]);
  const batch = { x, y: ml.tensor(Float32Array.of(0, 1), [2, 1]) };
  for (let seed = 0; seed < 20; seed += 1) {
    const mixed = ml.mixup(1)(batch, { random: randomGenerator(seed) });
    assert.deepEqual(mixed.x.data, mixed.y.data);
    assert.ok([...mixed.x.data].every((value) => Number(value) >= 0 && Number(value) <= 1));
  }
  const classes = { x, y: ml.tensor(Int32Array.of(0, 1), [2]) };
  assert.throws(() => ml.mixup()(classes, { random: Math.random }), /give rows of values, not class numbers/);
});

test('the images that a change is given stay as they were', () => {
  const original = image();
  const changes = [ml.randomFlip(), ml.randomCrop(2, 2), ml.randomRotation(0.1), ml.randomBrightness(0.5)];
  for (const change of [...changes, ml.randomContrast(0.5), ml.randomSaturation(0.5), ml.cutOut(2)]) {
    change(original, { random: randomGenerator(1) });
    assert.deepEqual(original, image());
  }
});
