import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomGenerator } from '../random.ts';
import * as initializers from './initializers.ts';
import type { Initializer } from './layer.ts';

const shape = [3, 3, 16, 64];
const [fanIn, fanOut] = [9 * 16, 9 * 64];

/** Each with the variance and the largest number that its paper gives. */
const cases: [string, Initializer, variance: number, limit: number][] = [
  ['glorotNormal', initializers.glorotNormal, 2 / (fanIn + fanOut), Infinity],
  ['heUniform', initializers.heUniform, 2 / fanIn, Math.sqrt(6 / fanIn)],
  ['heNormal', initializers.heNormal, 2 / fanIn, Infinity],
  ['lecunUniform', initializers.lecunUniform, 1 / fanIn, Math.sqrt(3 / fanIn)],
  ['lecunNormal', initializers.lecunNormal, 1 / fanIn, Infinity],
  ['randomUniform', initializers.randomUniform(), 0.05 ** 2 / 3, 0.05],
  ['randomNormal', initializers.randomNormal({ stddev: 0.2 }), 0.04, Infinity],
  ['truncatedNormal', initializers.truncatedNormal({ stddev: 0.2 }), 0.04 * 0.8796256610342398 ** 2, 0.4],
];

for (const [name, initializer, variance, limit] of cases) {
  test(`${name} has the variance of its definition, and the same numbers for the same seed`, () => {
    const values = initializer(shape, randomGenerator(1));
    assert.equal(values.length, 9216);
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    assert.ok(Math.abs(square / variance - 1) < 0.05, `${square} against ${variance}`);
    assert.ok(values.every((value) => Math.abs(value) <= limit * (1 + 1e-6)));
    assert.deepEqual(values, initializer(shape, randomGenerator(1)));
  });
}

for (const [rows, columns] of [
  [6, 4],
  [3, 8],
] as const) {
  test(`orthogonal([${rows}, ${columns}]) has orthonormal ${rows < columns ? 'rows' : 'columns'}`, () => {
    const matrix = initializers.orthogonal({ gain: 2 })([rows, columns], randomGenerator(5));
    const count = Math.min(rows, columns);
    const vector = (index: number) =>
      rows < columns
        ? [...matrix.slice(index * columns, (index + 1) * columns)]
        : Array.from({ length: rows }, (_, row) => matrix[row * columns + index]!);
    for (let a = 0; a < count; a += 1) {
      for (let b = 0; b < count; b += 1) {
        const product = vector(a).reduce((sum, value, at) => sum + value * vector(b)[at]!, 0);
        assert.ok(Math.abs(product - (a === b ? 4 : 0)) < 1e-5);
      }
    }
  });
}

test('constant fills, also a bias', () => {
  assert.deepEqual(initializers.constant(0.5)([3], randomGenerator(1)), Float32Array.of(0.5, 0.5, 0.5));
});
