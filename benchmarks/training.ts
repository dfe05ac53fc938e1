/** Training speed of the CIFAR-10 example's network, as a share of the GEMM peak that onnxruntime itself reaches
 * on this machine in the same run.
 *
 *     node benchmarks/training.ts [--threads N] [--rounds N] [--json]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import * as ml from '../src/ml/index.ts';
import { gemmPeak } from './training-gemm-peak.ts';

/** Forward 9.1 M, gradients of all kernels 9.1 M, gradients of all inputs but the images 7.5 M. */
const flopsPerImage = 25.7e6;
const imagesPerRound = 2048;

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);
const { train } = ml.syntheticImages({ train: imagesPerRound, test: 0 });

const makeModel = (): ml.Sequential => {
  const model = ml.sequential(
    [
      ml.input([32, 32, 3], { dtype: 'uint8' }),
      ml.rescaling(1 / 255),
      ml.conv2d(32, 3, { activation: 'relu' }),
      ml.maxPool2d(2),
      ml.conv2d(64, 3, { activation: 'relu' }),
      ml.maxPool2d(2),
      ml.conv2d(64, 3, { activation: 'relu' }),
      ml.flatten(),
      ml.dense(64, { activation: 'relu' }),
      ml.dense(10),
    ],
    { threads },
  );
  model.compile({ optimizer: ml.adam(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
  return model;
};

async function imagesPerSecond(model: ml.Sequential, batchSize: number): Promise<number> {
  const start = performance.now();
  await model.fit(train.images, train.labels, { batchSize });
  return imagesPerRound / ((performance.now() - start) / 1000);
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const peak = await gemmPeak(threads);
const results = [];
for (const batchSize of [32, 128]) {
  const model = makeModel();
  await imagesPerSecond(model, batchSize);
  const samples: { images: number; peakFlops: number; share: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // The host's speed drifts: the peak is taken on both sides of each measurement.
    const before = await peak.measure();
    const images = await imagesPerSecond(model, batchSize);
    const peakFlops = (before + (await peak.measure())) / 2;
    samples.push({ images, peakFlops, share: (images * flopsPerImage) / peakFlops });
  }
  results.push({
    batchSize,
    imagesPerSecond: median(samples.map((sample) => sample.images)),
    gemmPeakGflops: median(samples.map((sample) => sample.peakFlops)) / 1e9,
    shareOfPeak: median(samples.map((sample) => sample.share)),
  });
  await model.close();
}
await peak.close();

if (options.json) console.log(JSON.stringify({ threads, rounds, results }));
else {
  console.log(`Training the CIFAR-10 network, ${threads} threads, medians of ${rounds} rounds`);
  console.table(
    results.map(({ batchSize, imagesPerSecond, gemmPeakGflops, shareOfPeak }) => ({
      'batch size': batchSize,
      'images/s': Math.round(imagesPerSecond),
      'GEMM peak, GFLOP/s': Number(gemmPeakGflops.toFixed(1)),
      'share of peak': `${(shareOfPeak * 100).toFixed(1)} %`,
    })),
  );
}
