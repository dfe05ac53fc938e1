import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingProgress } from '../../api/kinds/trainingJob.ts';
import type { Clock } from '../../base/clock.ts';
import type { TrainableModel } from '../../ml/index.ts';
import { convertTo } from './convert-examples.ts';
import type { TrainerJob } from './job.ts';
import { progressOf } from './progress.ts';
import { makeModel } from './trained-model.ts';
import { loadTrainingData, type TrainingData } from './training-data.ts';

/** The specification or the data are wrong: another try would end the same way. */
export class HopelessError extends Error {}

export interface TrainOptions {
  folders: {
    data: string | undefined;
    module: string | undefined;
    /** Outlives the pod. */
    checkpoints: string;
  };
  clock: Clock;
  /** Gets the lines of the progress bar, each with its end. */
  write: (text: string) => void;
  tell: (progress: TrainingProgress) => void;
  signal?: AbortSignal;
}

export interface Trained {
  model: TrainableModel;
  data: TrainingData;
  /** Loss and metrics on the test set. */
  metrics: Record<string, number>;
}

/** Trains as the job says, from its last checkpoint on, and measures the result on the test set.
 * @throws HopelessError where specification or data are wrong. */
export async function train(job: TrainerJob, options: TrainOptions): Promise<Trained> {
  const { folders, clock, write, tell, signal } = options;
  const { spec } = job;
  const { model, data } = await prepare(job, folders);
  const { batchSize = 32, epochs = 1, checkpoint } = spec;
  // A claim may hold the checkpoints of several jobs.
  const dir = join(folders.checkpoints, `${job.name}-${job.uid}`);
  const resumedFromStep = await newestStep(dir);
  write(
    `${model.name}: ${model.architecture.parameterCount} parameters, ${data.examples ?? 'unknown'} examples of ${data.source}\n`,
  );
  if (resumedFromStep !== undefined) write(`going on from the checkpoint of step ${resumedFromStep}\n`);
  const { progressBar, terminateOnNaN } = await import('../../ml/index.ts');
  const fitOptions = {
    epochs,
    callbacks: [progressBar({ write }), progressOf({ clock, resumedFromStep, tell }), terminateOnNaN()],
    checkpoint: { dir, everyBatches: checkpoint?.everyBatches ?? 100 },
    ...(signal && { signal }),
  };
  const { validationSplit } = spec.dataset;
  const fitted =
    'batches' in data.train
      ? model.fit(data.train, fitOptions)
      : model.fit(data.train.x, data.train.y, {
          ...fitOptions,
          batchSize,
          ...(validationSplit && { validationSplit }),
        });
  await fitted.catch(async (error: Error) => {
    throw (await isMismatch(error)) ? new HopelessError(error.message, { cause: error }) : error;
  });
  signal?.throwIfAborted();
  const metrics = await measure(model, data, batchSize);
  if (metrics.loss === undefined) {
    throw new HopelessError(
      'the loss is no number any more: lower spec.optimizer.learningRate, or clip gradients',
    );
  }
  write(
    `on the test set: ${Object.entries(metrics)
      .map(([name, value]) => `${name} ${value.toFixed(4)}`)
      .join('  ')}\n`,
  );
  return { model, data, metrics };
}

/** Model, loss and data do not fit each other, as `fit` says before its first step. */
async function isMismatch(error: Error): Promise<boolean> {
  const { ShapeError } = await import('../../ml/index.ts');
  return error instanceof ShapeError || error instanceof RangeError;
}

/** Model and data, made to fit each other. */
export async function prepare(
  { spec }: TrainerJob,
  folders: { data: string | undefined; module: string | undefined },
): Promise<{ model: TrainableModel; data: TrainingData }> {
  const { seed = 0, threads, batchSize = 32 } = spec;
  try {
    const loaded = await loadTrainingData(spec.dataset, { folder: folders.data, batchSize, seed });
    const { shape, classNames } = loaded;
    const context = { seed, shape, classNames, ...(threads && { threads }) };
    const model = await makeModel(spec, context, folders.module);
    return { model, data: convertTo(model.architecture.input.dtype, loaded) };
  } catch (error) {
    throw new HopelessError((error as Error).message, { cause: error });
  }
}

/** Loss and metrics on the test set; figures that are no numbers are left out. */
export async function measure(
  model: TrainableModel,
  { test }: TrainingData,
  batchSize: number,
): Promise<Record<string, number>> {
  const logs =
    'batches' in test ? await model.evaluate(test) : await model.evaluate(test.x, test.y, { batchSize });
  return Object.fromEntries(Object.entries(logs).filter(([, value]) => Number.isFinite(value)));
}

const checkpointName = /^checkpoint-(\d+)\.safetensors$/;

async function newestStep(dir: string): Promise<number | undefined> {
  const names = await readdir(dir).catch((): string[] => []);
  const steps = names.flatMap((name) => checkpointName.exec(name)?.[1] ?? []).map(Number);
  return steps.length > 0 ? Math.max(...steps) : undefined;
}
