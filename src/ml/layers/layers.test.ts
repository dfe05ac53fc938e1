import assert from 'node:assert/strict';
import { test } from 'node:test';
import { architecture } from '../architecture.ts';
import {
  averagePooling2d,
  conv2d,
  dense,
  dropout,
  flatten,
  globalMaxPooling2d,
  input,
  maxPool2d,
  rescaling,
  reshape,
  zeroPadding2d,
} from '../index.ts';
import { randomGenerator } from '../random.ts';
import { glorotUniform } from './initializers.ts';
import type { Layer } from './layer.ts';

const image = input([8, 8, 3]);

test('layers report their shapes and parameters as Keras does', () => {
  const { layers, outputShape, parameterCount } = architecture([
    input([32, 32, 3], { dtype: 'uint8' }),
    rescaling(1 / 255),
    conv2d(32, 3, { activation: 'relu' }),
    maxPool2d(2),
    conv2d(64, 3, { padding: 'same', strides: 2 }),
    maxPool2d(3, { strides: 2, padding: 'same' }),
    dropout(0.5),
    flatten(),
    dense(10, { useBias: false }),
  ]);
  const shapes = layers.map((layer) => layer.outputShape.slice(1).join('x'));
  assert.deepEqual(shapes, ['32x32x3', '30x30x32', '15x15x32', '8x8x64', '4x4x64', '4x4x64', '1024', '10']);
  assert.deepEqual(outputShape, ['N', 10]);
  assert.equal(parameterCount, 896 + 18_496 + 10_240);
  const names = layers.flatMap((layer) => layer.parameters.map((parameter) => parameter.name));
  assert.deepEqual(names, [
    'conv2d/kernel',
    'conv2d/bias',
    'conv2d_1/kernel',
    'conv2d_1/bias',
    'dense/kernel',
  ]);
});

const misfits: [string, Layer[], RegExp][] = [
  [
    'conv2d on vectors',
    [flatten(), conv2d(4, 3)],
    /Conv2D\(4, 3x3\) needs a 4-D input, got \[N, 192\]: give images/,
  ],
  ['too large a kernel', [maxPool2d(4), conv2d(4, 3)], /Conv2D\(4, 3x3\) does not fit into 2x2 pixels/],
  ['global pooling of vectors', [flatten(), globalMaxPooling2d()], /GlobalMaxPooling2D needs a 4-D input/],
  ['padding of vectors', [flatten(), zeroPadding2d()], /ZeroPadding2D needs a 4-D input/],
  ['too much averaging', [averagePooling2d(9)], /AveragePooling2D\(9x9\) does not fit into 8x8 pixels/],
  [
    'a shape of another size',
    [reshape([5, 5])],
    /Reshape\(\[5, 5\]\) holds 25 numbers, got \[N, 8, 8, 3\] with 192: change/,
  ],
  ['a shape that does not divide', [reshape([-1, 5])], /holds a multiple of 5 numbers/],
  ['too much pooling', [maxPool2d(9)], /MaxPooling2D\(9x9\) does not fit into 8x8 pixels/],
];

for (const [what, layers, message] of misfits) {
  test(`${what}: the error says what to do`, () => {
    assert.throws(() => architecture([image, ...layers]), { name: 'ShapeError', message });
  });
}

test('a model without input, with a bad input or with a name used twice is refused', () => {
  assert.throws(() => architecture([dense(3)]), /must begin with input\(shape\)/);
  assert.throws(
    () => input([32, 0, 3]),
    /input\(\[32, 0, 3\]\): each dimension must be a whole number above 0/,
  );
  const twice = [image, dropout(0.1, { name: 'a' }), dropout(0.1, { name: 'a' })];
  assert.throws(() => architecture(twice), /Two layers are named "a"/);
  assert.throws(() => dropout(1), /at least 0 and below 1/);
});

test('glorotUniform fills the range that fan-in and fan-out give', () => {
  const shape = [3, 3, 32, 64];
  const limit = Math.sqrt(6 / (9 * (32 + 64)));
  const values = glorotUniform(shape, randomGenerator(1));
  assert.equal(values.length, 18_432);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(largest <= limit && largest > limit * 0.99);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  assert.ok(Math.abs(mean) < limit / 50);
});
