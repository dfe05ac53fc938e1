/** What 8 bits cost and gain on the CIFAR-10 example's network: size, speed against the float model in the same run, and
 * test accuracy. Without `--data` images are generated, and the accuracy says little.
 *
 *     node benchmarks/quantization.ts [--data FOLDER] [--epochs N] [--rounds N] [--threads N] [--json]
 */
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { cifar10Network } from '../src/cli/training/network.ts';
import * as ml from '../src/ml/index.ts';
import { median } from './median.ts';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    epochs: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(flags.threads);
const calibrationCount = 256;

const { train, test } = flags.data
  ? await ml.loadCifar10({ dir: flags.data })
  : ml.syntheticImages({ train: 4000, test: 1000 });

const model = cifar10Network(1);
model.compile({ optimizer: ml.adam(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
await model.fit(train.images, train.labels, { epochs: Number(flags.epochs) });
await model.close();

const { graph, weights } = ml.exportModel(model);
const pixels = 32 * 32 * 3;
const calibration = ml.tensor((train.images.data as Uint8Array).slice(0, calibrationCount * pixels), [
  calibrationCount,
  32,
  32,
  3,
]);
const files: [string, Uint8Array][] = [
  ['float32', ml.bake(graph, weights)],
  ['dynamic', await ml.quantize(model)],
  ['static, minMax', await ml.quantize(model, { calibration })],
  ['static, one scale', await ml.quantize(model, { calibration, perChannel: false })],
  ['static, percentile', await ml.quantize(model, { calibration, method: 'percentile' })],
  ['static, entropy', await ml.quantize(model, { calibration, method: 'entropy' })],
];

const sessions = await Promise.all(
  files.map(async ([name, bytes]) => ({
    name,
    bytes: bytes.length,
    session: await ort.InferenceSession.create(bytes, { intraOpNumThreads: threads, logSeverityLevel: 3 }),
  })),
);

type Opened = (typeof sessions)[number];

async function run({ session }: Opened, first: number, count: number): Promise<Float32Array> {
  const data = (test.images.data as Uint8Array).slice(first * pixels, (first + count) * pixels);
  const feeds = { input: new ort.Tensor('uint8', data, [count, 32, 32, 3]) };
  return (await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array;
}

async function accuracy(opened: Opened): Promise<number> {
  const count = test.labels.length;
  const batch = 100;
  let right = 0;
  for (let first = 0; first < count; first += batch) {
    const size = Math.min(batch, count - first);
    const logits = await run(opened, first, size);
    for (let row = 0; row < size; row += 1) {
      const scores = [...logits.subarray(10 * row, 10 * row + 10)];
      if (scores.indexOf(Math.max(...scores)) === test.labels[first + row]) right += 1;
    }
  }
  return right / count;
}

/** Milliseconds of a run with so many images. */
async function time(opened: Opened, count: number): Promise<number> {
  const runs = Math.max(5, Math.ceil(400 / count));
  const start = performance.now();
  for (let index = 0; index < runs; index += 1) await run(opened, 0, count);
  return (performance.now() - start) / runs;
}

const times = new Map<string, number[]>();
for (let round = 0; round <= Number(flags.rounds); round += 1) {
  // In turns, so that a slow moment of the machine meets all alike; the first round warms up.
  for (const opened of sessions) {
    for (const count of [1, 32]) {
      const ms = await time(opened, count);
      if (round > 0)
        times.set(`${opened.name} ${count}`, [...(times.get(`${opened.name} ${count}`) ?? []), ms]);
    }
  }
}

const float = sessions[0]!;
const rows = [];
for (const opened of sessions) {
  const at = (name: string, count: number) => median(times.get(`${name} ${count}`)!);
  rows.push({
    model: opened.name,
    bytes: opened.bytes,
    size: Number((opened.bytes / float.bytes).toFixed(3)),
    accuracy: await accuracy(opened),
    batch1Ms: Number(at(opened.name, 1).toFixed(3)),
    batch1Speed: Number((at(float.name, 1) / at(opened.name, 1)).toFixed(2)),
    batch32Ms: Number(at(opened.name, 32).toFixed(2)),
    batch32Speed: Number((at(float.name, 32) / at(opened.name, 32)).toFixed(2)),
  });
}
const data = flags.data ? 'CIFAR-10 records' : 'generated images';
if (flags.json) process.stdout.write(`${JSON.stringify({ data, threads, rows })}\n`);
else {
  process.stdout.write(
    `${data}, ${test.labels.length} of them for the test; ${threads} thread(s); size and speed against float32\n`,
  );
  console.table(rows);
}
for (const { session } of sessions) await session.release();
