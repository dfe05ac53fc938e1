import {
  adam,
  type Callback,
  type ExportedModel,
  exportModel,
  type ImageDataset,
  progressBar,
  sparseCategoricalCrossentropy,
} from '../../ml/index.ts';
import { cifar10Network } from './network.ts';

export interface TrainedNetwork {
  exported: ExportedModel;
  epochs: number;
  seconds: number;
  imagesPerSecond: number;
  testLoss: number;
  testAccuracy: number;
}

/** Trains the tutorial's network on `images` with a progress bar on stderr, evaluates it and exports it. */
export async function trainNetwork(
  images: ImageDataset,
  options: { epochs: number; batchSize?: number; seed?: number; signal?: AbortSignal },
): Promise<TrainedNetwork> {
  const { train, test, classNames } = images;
  const { epochs, signal } = options;
  const model = cifar10Network(options.seed ?? 0);
  model.compile({ optimizer: adam(), loss: sparseCategoricalCrossentropy({ fromLogits: true }) });
  const startMs = performance.now();
  await model.fit(train.images, train.labels, {
    epochs,
    batchSize: options.batchSize ?? 32,
    callbacks: [progressBar(process.stderr) as Callback],
    ...(signal && { signal }),
  });
  signal?.throwIfAborted();
  const seconds = (performance.now() - startMs) / 1000;
  const { loss, accuracy } = await model.evaluate(test.images, test.labels);
  return {
    exported: exportModel(model, { labels: classNames, metrics: { loss, accuracy } }),
    epochs,
    seconds,
    imagesPerSecond: (epochs * train.labels.length) / seconds,
    testLoss: loss,
    testAccuracy: accuracy,
  };
}
