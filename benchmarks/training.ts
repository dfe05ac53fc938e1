/** Training speed of the CIFAR-10 example's network, as a share of the GEMM peak that onnxruntime itself reaches
 * on this machine in the same run, and against Keras on TensorFlow.
 *
 *     node benchmarks/training.ts [--threads N] [--rounds N] [--python PYTHON] [--json]
 *
 * With --python, a Python that has keras and tensorflow, Keras trains the same network in turn with ours.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { cifar10Network } from '../src/cli/training/network.ts';
import * as ml from '../src/ml/index.ts';
import { median } from './median.ts';
import { gemmPeak } from './training-gemm-peak.ts';
import { startKeras } from './training-keras.ts';

/** Forward 9.1 M, gradients of all kernels 9.1 M, gradients of all inputs but the images 7.5 M. */
const flopsPerImage = 25.7e6;
const imagesPerRound = 2048;

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '7' },
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);
const { train } = ml.syntheticImages({ train: imagesPerRound, test: 0 });

const makeModel = (): ml.Sequential => {
  const model = cifar10Network(0, { threads });
  model.compile({ optimizer: ml.adam(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
  return model;
};

async function imagesPerSecond(model: ml.Sequential, batchSize: number): Promise<number> {
  const start = performance.now();
  await model.fit(train.images, train.labels, { batchSize });
  return imagesPerRound / ((performance.now() - start) / 1000);
}

const peak = await gemmPeak(threads);
const keras = options.python ? await startKeras(options.python, threads, imagesPerRound) : undefined;
const results = [];
for (const batchSize of [32, 128]) {
  const model = makeModel();
  await imagesPerSecond(model, batchSize);
  await keras?.imagesPerSecond(batchSize);
  const samples: { images: number; peakFlops: number; share: number; keras: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // The host's speed drifts: the peak is taken on both sides of each measurement.
    const before = await peak.measure();
    const images = await imagesPerSecond(model, batchSize);
    const peakFlops = (before + (await peak.measure())) / 2;
    const kerasImages = (await keras?.imagesPerSecond(batchSize)) ?? Number.NaN;
    samples.push({ images, peakFlops, share: (images * flopsPerImage) / peakFlops, keras: kerasImages });
  }
  results.push({
    batchSize,
    imagesPerSecond: median(samples.map((sample) => sample.images)),
    gemmPeakGflops: median(samples.map((sample) => sample.peakFlops)) / 1e9,
    shareOfPeak: median(samples.map((sample) => sample.share)),
    ...(keras && {
      kerasImagesPerSecond: median(samples.map((sample) => sample.keras)),
      timesKeras: median(samples.map((sample) => sample.images / sample.keras)),
    }),
  });
  await model.close();
}
await peak.close();
keras?.close();

if (options.json) console.log(JSON.stringify({ threads, rounds, peer: keras?.name, results }));
else {
  console.log(
    `Training the CIFAR-10 network, ${threads} threads, medians of ${rounds} rounds${keras ? `, beside ${keras.name}` : ''}`,
  );
  console.table(
    results.map((result) => ({
      'batch size': result.batchSize,
      'images/s': Math.round(result.imagesPerSecond),
      'GEMM peak, GFLOP/s': Number(result.gemmPeakGflops.toFixed(1)),
      'share of peak': `${(result.shareOfPeak * 100).toFixed(1)} %`,
      ...(result.timesKeras && {
        'Keras, images/s': Math.round(result.kerasImagesPerSecond!),
        'ours : Keras': Number(result.timesKeras.toFixed(2)),
      }),
    })),
  );
}
