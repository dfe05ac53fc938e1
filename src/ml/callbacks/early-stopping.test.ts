import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EarlyStoppingOptions, earlyStopping } from './early-stopping.ts';

/** Runs epochs with the given figures; the weights of an epoch are its number. */
function run(figures: number[], options: EarlyStoppingOptions) {
  const model = {
    weights: new Float32Array(1),
    learningRate: 0.1,
    stopTraining: false,
    weightsFile: () => new Uint8Array(),
  };
  const callback = earlyStopping(options);
  callback.onTrainBegin?.({ epochs: figures.length, examples: 1, batchSize: 1 }, model);
  let epochs = 0;
  for (const figure of figures) {
    model.weights = Float32Array.of(epochs);
    const figureName = options.monitor ?? 'val_loss';
    callback.onEpochEnd?.(epochs, { loss: 0, accuracy: 0, [figureName]: figure });
    epochs += 1;
    if (model.stopTraining) break;
  }
  callback.onTrainEnd?.();
  return { epochs, weights: model.weights[0] };
}

// What Keras 3.15's EarlyStopping does when it is called with the same figures.
const cases: [string, number[], EarlyStoppingOptions, { epochs: number; weights: number }][] = [
  ['the first epoch that is no better ends it', [3, 2, 2, 1], {}, { epochs: 3, weights: 2 }],
  ['patience waits', [3, 2, 4, 4, 1, 0], { patience: 2 }, { epochs: 4, weights: 3 }],
  ['a better figure starts the patience anew', [3, 4, 2, 4, 1], { patience: 2 }, { epochs: 5, weights: 4 }],
  ['a change below minDelta is none', [3, 2.9, 2.8], { minDelta: 0.5 }, { epochs: 2, weights: 1 }],
  ['an accuracy should rise', [0.1, 0.2, 0.1], { monitor: 'val_accuracy' }, { epochs: 3, weights: 2 }],
  ['the mode can be told', [3, 2, 1], { mode: 'max' }, { epochs: 2, weights: 1 }],
  ['a baseline must be beaten', [5, 4, 3], { baseline: 1, patience: 1 }, { epochs: 3, weights: 2 }],
  ['the first epochs may be left out', [1, 9, 8, 9], { startFromEpoch: 1 }, { epochs: 4, weights: 3 }],
  ['the best weights come back', [3, 1, 2], { restoreBestWeights: true }, { epochs: 3, weights: 1 }],
];

for (const [what, figures, options, expected] of cases) {
  test(`early stopping: ${what}`, () => {
    assert.deepEqual(run(figures, options), expected);
  });
}

test('early stopping on a figure that the training lacks says which there are', () => {
  const callback = earlyStopping();
  assert.throws(
    () => callback.onEpochEnd?.(0, { loss: 1, accuracy: 1 }),
    /watches val_loss, the training has loss, accuracy: give fit\(\) validationData/,
  );
});
