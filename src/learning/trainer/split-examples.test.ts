import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tensor } from '../../ml/index.ts';
import { joinExamples, splitExamples, spreadExamples, takeExamples } from './split-examples.ts';
import type { Examples } from './training-data.ts';

const count = 50;
/** Example n is [2n, 2n + 1], and its class n. */
const all: Examples = {
  x: tensor(
    Float32Array.from({ length: 2 * count }, (_, i) => i),
    [count, 2],
  ),
  y: Uint8Array.from({ length: count }, (_, row) => row),
};

/** Which examples these are; each must have its own class. */
function namesOf({ x, y }: Examples): number[] {
  const classes = 'shape' in y ? y.data : y;
  return Array.from({ length: x.shape[0]! }, (_, row) => {
    assert.equal(x.data[2 * row], 2 * Number(classes[row]));
    return Number(classes[row]);
  });
}

test('no example is on both sides of a split, and the same seed gives the same one', () => {
  const { train, test: held } = splitExamples(all, 0.2, 7);
  const [ours, theirs] = [namesOf(train), namesOf(held)];
  assert.deepEqual([ours.length, theirs.length], [40, 10]);
  assert.deepEqual(
    [...ours, ...theirs].sort((a, b) => a - b),
    namesOf(all),
  );
  assert.deepEqual(namesOf(splitExamples(all, 0.2, 7).test), theirs);
  assert.notDeepEqual(namesOf(splitExamples(all, 0.2, 8).test), theirs);
});

test('values stay with their examples as class numbers do', () => {
  const y = tensor(
    Float32Array.from({ length: count }, (_, row) => row),
    [count, 1],
  );
  assert.equal(namesOf(splitExamples({ x: all.x, y }, 0.5, 1).train).length, 25);
  assert.deepEqual(namesOf(takeExamples({ x: all.x, y }, 48, 10)), [48, 49]);
});

test('a few of many examples are from all over', () => {
  assert.deepEqual(namesOf(spreadExamples(all, 5)), [0, 10, 20, 30, 40]);
  assert.equal(spreadExamples(all, 50), all);
});

test('parts that are joined are what was taken apart', () => {
  const parts = [0, 20, 40].map((from) => takeExamples(all, from, 20).x);
  assert.deepEqual(joinExamples(parts), all.x);
});
