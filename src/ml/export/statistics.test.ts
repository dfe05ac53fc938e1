import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dense, exportModel, input, sequential, tensor } from '../index.ts';
import { channelsOf, dataStatistics } from './statistics.ts';

test('statistics are those of each channel, and of the confidences', () => {
  const pixels = tensor(Uint8Array.of(0, 10, 20, 4, 10, 22), [2, 1, 1, 3]);
  const probabilities = tensor(Float32Array.of(0.05, 0.95, 0.6, 0.4), [2, 2]);
  const { inputs, confidence } = dataStatistics(pixels, { probabilities });
  const [red, green, blue] = inputs.input!;
  assert.deepEqual([red!.mean, red!.std, green!.mean, green!.std, blue!.mean], [2, 2, 10, 0, 21]);
  assert.deepEqual(red!.histogram.counts, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(confidence!.counts, [0, 0, 0, 0, 0, 0, 1, 0, 0, 1]);
});

test('a long last axis is no axis of channels', () => {
  assert.deepEqual(
    [channelsOf([32, 32, 3]), channelsOf([28, 28, 1]), channelsOf([784]), channelsOf([10, 64])],
    [3, 1, 1, 1],
  );
});

test('exportModel() keeps steps and statistics, and refuses wrong steps', () => {
  const model = sequential([input([4]), dense(2)]);
  const statistics = dataStatistics(tensor(Float32Array.of(1, 2, 3, 4), [1, 4]));
  const { metadata } = exportModel(model, { postprocess: [{ op: 'softmax' }], statistics });
  assert.deepEqual(metadata.postprocess, [{ op: 'softmax' }]);
  assert.deepEqual(JSON.parse(JSON.stringify(metadata.statistics)), statistics);
  assert.throws(
    () => exportModel(model, { preprocess: [{ op: 'resize', height: -1, width: 1 }] }),
    /preprocess\[0\]: height/,
  );
});
