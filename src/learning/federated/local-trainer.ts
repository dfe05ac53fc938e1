import { availableParallelism } from 'node:os';
import type { BatchSource, Callback, TrainableModel } from '../../ml/index.ts';
import { permutation, randomGenerator } from '../../ml/random.ts';
import { batches } from '../../ml/training/batches.ts';
import { measureServing } from '../trainer/serving-model.ts';
import { measure } from '../trainer/train.ts';
import type { Examples, TrainingData } from '../trainer/training-data.ts';
import type { LocalTrainer } from './client.ts';

export interface LocalTrainerOptions {
  /** Compiled; its optimizer starts anew in each round. */
  model: TrainableModel;
  data: TrainingData;
  epochs: number;
  batchSize: number;
  seed: number;
  callbacks?: Callback[];
  /** The figure by which the model in service is compared, if it is. */
  comparedMetric?: string | undefined;
}

/** Trains on this node's examples, in each round from the weights that it is given, in an order of the round's own. */
export async function localTrainer(options: LocalTrainerOptions): Promise<LocalTrainer> {
  const { model, data, epochs, batchSize, callbacks = [], comparedMetric } = options;
  const { train } = data;
  const testExamples = 'batches' in data.test ? await countExamples(data.test) : data.test.x.shape[0]!;
  return {
    parameters: model.architecture.layers.flatMap((layer) => layer.parameters),
    form: { shape: data.shape, ...(data.classNames && { classNames: data.classNames }) },
    samples: data.examples ?? ('batches' in train ? await countExamples(train) : train.x.shape[0]!),
    async evaluate(weights) {
      model.weights = weights;
      return { examples: testExamples, metrics: await measure(model, data, batchSize) };
    },
    ...(comparedMetric && {
      async measureServing(onnx: Uint8Array) {
        const threads = availableParallelism();
        const value = await measureServing(onnx, data.test, {
          metric: comparedMetric,
          loss: model.loss!,
          threads,
        });
        return { [comparedMetric]: value };
      },
    }),
    async train(weights, round, signal) {
      model.weights = weights;
      model.resetOptimizer();
      const source = ofRound(train, (round - 1) * epochs, options);
      await model.fit(source, { epochs, callbacks, signal });
      return model.weights;
    },
  };
}

/** The batches of a round's epochs, which `fit` counts from 0. */
function ofRound(
  train: Examples | BatchSource,
  epochsBefore: number,
  { batchSize, seed }: LocalTrainerOptions,
): BatchSource {
  if ('batches' in train) {
    return { batches: ({ epoch, fromBatch }) => train.batches({ epoch: epochsBefore + epoch, fromBatch }) };
  }
  const { x, y } = train;
  const targets = 'shape' in y ? Float32Array.from(y.data, Number) : Int32Array.from(y);
  return {
    async *batches({ epoch, fromBatch }) {
      // Seeds next to each other give unlike orders only some steps apart.
      const random = randomGenerator(Math.imul(seed + 1, 0x9e3779b1) + 1009 * (epochsBefore + epoch));
      const order = permutation(x.shape[0]!, random);
      yield* batches({ x, y: targets }, batchSize, { order, fromBatch });
    },
  };
}

async function countExamples(source: BatchSource): Promise<number> {
  let count = 0;
  for await (const { x } of source.batches({ epoch: 0, fromBatch: 0 })) count += x.shape[0]!;
  return count;
}
