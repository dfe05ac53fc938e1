import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressBar } from './progress-bar.ts';

const model = {
  weights: new Float32Array(),
  learningRate: 0.1,
  stopTraining: false,
  weightsFile: () => new Uint8Array(),
};

/** A training of 2 epochs of 1,000 examples, 1 s of training and 0.2 s of validation each. */
function record(isTTY: boolean): string {
  let nowMs = 0;
  let written = '';
  const stream = { isTTY, columns: 100, write: (text: string) => (written += text) };
  const bar = progressBar(stream, { now: () => nowMs });
  bar.onTrainBegin?.({ epochs: 2, examples: 1000, batchSize: 100 }, model);
  for (const epoch of [0, 1]) {
    bar.onEpochBegin?.(epoch);
    for (let seen = 100; seen <= 1000; seen += 100) {
      nowMs += 100;
      bar.onBatchEnd?.({ epoch, seen, loss: 2 - seen / 1000, accuracy: seen / 2000 });
    }
    nowMs += 200;
    bar.onEpochEnd?.(epoch, { loss: 1, accuracy: 0.5, val_loss: 1.25, val_accuracy: 0.45 });
  }
  bar.onTrainEnd?.();
  return written;
}

test('on a terminal one line is redrawn in place, and each finished epoch keeps its line', () => {
  const written = record(true);
  const lines = written.split('\n');
  assert.equal(lines.length, 3, 'two epochs, and nothing after the last line end');
  assert.equal(lines[2], '');
  assert.equal(
    lines[0]!.split('\r\u001b[2K').length,
    12,
    'ten batches and the epoch, each after clearing the line',
  );
  const frames = lines[0]!.split('\r\u001b[2K');
  assert.equal(
    frames[5],
    'Epoch 1/2 ━━━━━━━━━━━━──────────── loss 1.5000  accuracy 0.2500  1,000 images/s  0:02 left',
  );
});

test('elsewhere a few plain lines an epoch are written', () => {
  const lines = record(false).trimEnd().split('\n');
  assert.equal(lines.length, 8);
  assert.ok(lines.every((line) => !line.includes('\u001b') && !line.includes('\r')));
  assert.equal(
    lines[7],
    'Epoch 2/2 ━━━━━━━━━━━━━━━━━━━━━━━━ loss 1.0000  accuracy 0.5000  val_loss 1.2500  val_accuracy 0.4500  ' +
      '1,000 images/s  0:02 in all',
  );
});

function lineOf(columns: number): string {
  let line = '';
  const write = (text: string) => {
    line = text.replace('\r\u001b[2K', '');
  };
  const bar = progressBar({ isTTY: true, columns, write });
  bar.onTrainBegin?.({ epochs: 1, examples: 10, batchSize: 1 }, model);
  bar.onEpochBegin?.(0);
  bar.onBatchEnd?.({ epoch: 0, seen: 5, loss: 1, accuracy: 0.5 });
  return line;
}

test('a line never exceeds the terminal', () => {
  for (const columns of [40, 80, 100, 200])
    assert.ok(lineOf(columns).length < columns, `at ${columns} columns`);
  assert.equal(lineOf(40).length, 39);
});

test('a narrow terminal gets a shorter bar, with all figures', () => {
  assert.match(lineOf(80), /━+─+ loss 1\.0000 .* left$/);
  assert.ok(lineOf(80).length < lineOf(120).length);
});

test('a training that goes on tells its own pace, not that of what was done before', () => {
  let nowMs = 0;
  let line = '';
  const bar = progressBar(
    { isTTY: true, columns: 120, write: (text) => (line = text) },
    { now: () => nowMs },
  );
  bar.onTrainBegin?.({ epochs: 10, examples: 1000, batchSize: 100 }, model);
  // From the middle of the ninth epoch on.
  for (const seen of [500, 600, 700]) {
    bar.onBatchEnd?.({ epoch: 8, seen, loss: 1, accuracy: 0.5 });
    nowMs += 1000;
  }
  assert.match(line, / 100 images\/s {2}0:13 left$/);
});
