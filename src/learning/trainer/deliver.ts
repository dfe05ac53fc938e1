import { join } from 'node:path';
import type { TrainingModel } from '../../api/parts/trainingJob.ts';
import type { Clock } from '../../base/clock.ts';
import type {
  BatchSource,
  DataStatistics,
  PostprocessStep,
  PreprocessStep,
  Tensor,
  TrainableModel,
} from '../../ml/index.ts';
import type { RegistryEndpoint } from '../../oci/registry-client.ts';
import { joinExamples, spreadExamples } from './split-examples.ts';
import type { Trained } from './train.ts';
import type { Examples, TrainingData } from './training-data.ts';
import { untilReachable } from './until-reachable.ts';

/** Enough to know a training set by. */
const statisticsExamplesMax = 2_000;

export interface Delivery {
  /** A reference in the cluster's registry, `models/mine:v1`. */
  output: string;
  model: TrainingModel;
  registry: RegistryEndpoint;
  folder: string;
  clock: Clock;
  say: (text: string) => void;
  signal?: AbortSignal;
}

/** A model, what was measured of it, and of its data what is known here. */
export interface Delivered extends Pick<Trained, 'model' | 'metrics'> {
  data: Pick<TrainingData, 'classNames'> & Partial<Pick<TrainingData, 'train'>>;
}

/** Packs the trained model with what was measured of it and of its data, and pushes it. Gives the reference by digest. */
export async function deliver(trained: Delivered, options: Delivery): Promise<string> {
  const { output, registry, folder, clock, say, signal } = options;
  const { ContentStore } = await import('../../oci/content-store.ts');
  const { packModel } = await import('../../oci/artifact.ts');
  const { push } = await import('../../oci/push.ts');
  const { formatReference, parseReference } = await import('../../oci/reference.ts');
  const { graph, weights, metadata } = await exported(trained, options.model);
  const store = await ContentStore.open(join(folder, 'outgoing'), { clock });
  const packed = await packModel({ store, reference: output, graph, weights, config: { ...metadata } });
  const send = () => push({ reference: output, registry, from: store, clock, ...(signal && { signal }) });
  const { bytesSent } = await untilReachable(send, {
    clock,
    say,
    what: `the push of ${output}`,
    ...(signal && { signal }),
  });
  say(`pushed ${output} ${packed.digest}, ${bytesSent} bytes`);
  return formatReference({ repository: parseReference(output).repository, digest: packed.digest });
}

async function exported({ model, data, metrics }: Delivered, spec: TrainingModel) {
  const { exportModel } = await import('../../ml/index.ts');
  const labels = spec.labels ?? data.classNames;
  const isClassifier = labels?.length === model.architecture.outputShape.at(-1);
  return exportModel(model, {
    metrics,
    ...(data.train && { statistics: await statisticsOf(model, data.train) }),
    ...(isClassifier && { labels }),
    // The server checks them as it reads them, and so does exportModel.
    ...(spec.preprocess && { preprocess: spec.preprocess as PreprocessStep[] }),
    ...(spec.postprocess && { postprocess: spec.postprocess as PostprocessStep[] }),
  });
}

/** By which a server tells drift: of the inputs, and of how sure the model is of them. */
async function statisticsOf(model: TrainableModel, train: Examples | BatchSource): Promise<DataStatistics> {
  const { dataStatistics } = await import('../../ml/index.ts');
  const { softmax } = await import('../../serving/steps/postprocess.ts');
  const examples = 'batches' in train ? await first(train) : spreadExamples(train, statisticsExamplesMax).x;
  const outputs = model.loss?.fromLogits === undefined ? undefined : await model.predict(examples);
  const name = model.architecture.input.name ?? 'input';
  const classes = outputs?.shape.at(-1) ?? 0;
  if (!outputs || classes < 2) return dataStatistics(examples, { name });
  // Models give float32 alone.
  const data = outputs.data as Float32Array;
  const probabilities = model.loss?.fromLogits ? { ...outputs, data: softmax(data, classes) } : outputs;
  return dataStatistics(examples, { name, probabilities });
}

async function first(source: BatchSource): Promise<Tensor> {
  const parts: Tensor[] = [];
  let count = 0;
  for await (const { x } of source.batches({ epoch: 0, fromBatch: 0 })) {
    parts.push(x);
    count += x.shape[0]!;
    if (count >= statisticsExamplesMax) break;
  }
  return joinExamples(parts);
}
