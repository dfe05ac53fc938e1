/** Test accuracy of the CIFAR-10 example's network, ours and Keras', on the same records, epochs and batch size.
 *
 *     node benchmarks/accuracy.ts --data FOLDER [--seeds 0,1,2] [--epochs 10] [--batch-size 32] [--python PYTHON] [--json]
 *
 * With --python, a Python that has keras and jax, Keras trains beside it in the same run.
 */
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import { cifar10Network } from '../src/cli/training/network.ts';
import * as ml from '../src/ml/index.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2' },
    epochs: { type: 'string', default: '10' },
    'batch-size': { type: 'string', default: '32' },
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const dir = options.data ?? process.env.SELVAGE_DATA;
if (!dir) {
  console.error('accuracy: give --data FOLDER with data_batch_*.bin and test_batch.bin, or set SELVAGE_DATA');
  process.exit(2);
}
const folder = dir;
const seeds = options.seeds.split(',').map(Number);
const epochs = Number(options.epochs);
const batchSize = Number(options['batch-size']);

interface Run {
  seed: number;
  /** Of the training, in the last epoch. */
  loss: number;
  /** On the test records, after it. */
  accuracy: number;
}

async function ours(): Promise<Run[]> {
  const { train, test } = await ml.loadCifar10({ dir: folder });
  const runs: Run[] = [];
  for (const seed of seeds) {
    const model = cifar10Network(seed);
    model.compile({ optimizer: ml.adam(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
    const { loss } = await model.fit(train.images, train.labels, { epochs, batchSize });
    const { accuracy } = await model.evaluate(test.images, test.labels);
    runs.push({ seed, loss: loss.at(-1)!, accuracy });
    await model.close();
  }
  return runs;
}

async function keras(python: string): Promise<Run[]> {
  const script = new URL('./accuracy-keras.py', import.meta.url).pathname;
  const args = [script, folder, options.epochs, options['batch-size'], ...options.seeds.split(',')];
  const env = { ...process.env, KERAS_BACKEND: process.env.KERAS_BACKEND ?? 'jax' };
  const { stdout } = await promisify(execFile)(python, args, { env });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Run);
}

const mean = (runs: Run[]): number => runs.reduce((sum, { accuracy }) => sum + accuracy, 0) / runs.length;
const spread = (runs: Run[]): number =>
  Math.sqrt(
    runs.reduce((sum, { accuracy }) => sum + (accuracy - mean(runs)) ** 2, 0) / Math.max(1, runs.length - 1),
  );
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const results: Record<string, Run[]> = { ours: await ours() };
if (options.python) results.Keras = await keras(options.python);

if (options.json) console.log(JSON.stringify({ epochs, batchSize, results }));
else {
  console.log(`CIFAR-10 network, ${epochs} epochs, batches of ${batchSize}, records of ${folder}`);
  for (const [name, runs] of Object.entries(results)) {
    const each = runs.map(
      ({ seed, accuracy, loss }) => `seed ${seed}: ${percent(accuracy)} (loss ${loss.toFixed(3)})`,
    );
    console.log(
      `${name.padEnd(6)} mean ${percent(mean(runs))}, deviation ${percent(spread(runs))}; ${each.join(', ')}`,
    );
  }
  if (results.Keras) {
    const points = (mean(results.ours!) - mean(results.Keras)) * 100;
    console.log(`ours minus Keras: ${points.toFixed(1)} points`);
  }
}
