/** A training with dropout, shuffling, a schedule, batch normalization and a callback with a memory, for
 * `checkpoints.test.ts` to kill and start again: `node interrupted-training.ts FOLDER`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ml from '../index.ts';

const [dir] = process.argv.slice(2);
const { train } = ml.syntheticImages({ train: 600, test: 0, seed: 4 });
const model = ml.sequential(
  [
    ml.input([32, 32, 3], { dtype: 'uint8' }),
    ml.rescaling(1 / 255),
    ml.conv2d(8, 3, { strides: 2, activation: 'relu' }),
    ml.batchNormalization(),
    ml.dropout(0.3),
    ml.flatten(),
    ml.dense(10),
  ],
  { seed: 7, threads: 1 },
);
model.compile({
  optimizer: ml.adam({ learningRate: ml.cosineDecay(1e-2, 100), amsgrad: true, globalClipnorm: 1 }),
  loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }),
  metrics: ['accuracy', ml.f1Score()],
});
const history = await model.fit(train.images, train.labels, {
  epochs: 4,
  batchSize: 20,
  validationSplit: 0.2,
  checkpoint: { dir: dir!, everyBatches: 5 },
  callbacks: [ml.earlyStopping({ patience: 10, restoreBestWeights: true })],
});
writeFileSync(join(dir!, 'result.json'), JSON.stringify({ history, weights: [...model.weights] }));
await model.close();
