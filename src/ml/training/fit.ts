import type { Callback } from '../callbacks/callback.ts';
import { type History, historyRecorder } from '../callbacks/history.ts';
import { checkExamples, type Targets } from '../check-examples.ts';
import type { Checkpoints, Restored } from '../checkpoints/checkpoints.ts';
import type { Term } from '../losses/objective.ts';
import type { Schedule } from '../optimizers/schedules.ts';
import { packInputs } from '../packed-inputs.ts';
import type { Tensor } from '../tensor.ts';
import { checkCount } from './check-count.ts';
import { checkedSource } from './checked-source.ts';
import {
  type BatchSource,
  type Engine,
  type Examples,
  isSource,
  type NamedBatch,
  type Position,
  type TrainingState,
  type TrainJob,
  type TrainListener,
} from './engine.ts';
import { weighExamples } from './example-weights.ts';
import type { FitOptions, ValidationData } from './fit-options.ts';
import type { Compiled, TrainableModel } from './trainable-model.ts';
import { splitExamples } from './validation-split.ts';

/** What `fit` needs of a model beyond its public side. */
export interface FitContext {
  compiled: Compiled;
  engine: Engine;
  seed: number;
  learningRate: number | Schedule;
  /** The program for batches of this many rows, where it is another than `compiled.train`. */
  wholeBatch(rows: number): TrainJob['whole'];
  getState(): TrainingState;
  setState(state: TrainingState): void;
}

/** Trains a model: checks the data, takes up a checkpoint, runs the engine, tells the callbacks. */
export async function runFit(
  model: TrainableModel,
  x: Tensor | BatchSource<NamedBatch>,
  y: Targets | undefined,
  options: FitOptions,
  context: FitContext,
): Promise<History> {
  const { epochs = 1, batchSize = 32, shuffle = true, callbacks = [], checkpoint, signal } = options;
  const { compiled, engine, seed } = context;
  checkCount('epochs', epochs);
  checkCount('batchSize', batchSize);
  if (checkpoint?.everyBatches !== undefined) checkCount('checkpoint.everyBatches', checkpoint.everyBatches);
  const [examples, held] = dataOf(model, x, y, options, compiled);
  const recorder = historyRecorder(['loss', ...compiled.metrics.map(({ name }) => name)]);
  const all: Callback[] = [recorder, ...callbacks];
  const count = isSource(examples) ? examplesOf(x as BatchSource<NamedBatch>) : examples.x.shape[0]!;
  for (const callback of all) await callback.onTrainBegin?.({ epochs, examples: count, batchSize }, model);

  const checkpoints = checkpoint && (await openCheckpoints(checkpoint, model, context, options, count));
  const found = await checkpoints?.latest();
  const from = found && takeUp(found, model, context, all);
  if (!found?.isDone && (from?.epoch ?? 0) < epochs) {
    await beginEpoch(all, from?.epoch ?? 0, from?.batch ?? 0);
    const state = await engine.train(
      {
        program: compiled.train,
        whole: isSource(examples) ? undefined : context.wholeBatch(batchSize),
        slots: compiled.optimizer.slots,
        state: context.getState(),
        examples,
        validation: held && { program: compiled.evaluate, examples: held },
        metrics: compiled.metrics,
        epochs,
        batchSize,
        shuffle,
        seed,
        learningRate: isNumber(context.learningRate) ? model.learningRate : context.learningRate,
        from,
        checkpointEveryBatches: checkpoint?.everyBatches,
      },
      listenerOf(model, context, all, epochs, checkpoints),
      signal,
    );
    context.setState(state);
  }
  for (const callback of all) await callback.onTrainEnd?.();
  return recorder.history;
}

function listenerOf(
  model: TrainableModel,
  context: FitContext,
  callbacks: Callback[],
  epochs: number,
  checkpoints: Checkpoints | undefined,
): TrainListener {
  const save = (position: Position, state: TrainingState, isDone: boolean) =>
    checkpoints?.save({
      state,
      position,
      isDone,
      learningRate: isNumber(context.learningRate) ? model.learningRate : undefined,
      callbacks: callbacks.map((callback) => callback.save?.()),
    });
  return {
    onBatch(logs) {
      for (const callback of callbacks) callback.onBatchEnd?.(logs);
      return !model.stopTraining;
    },
    async onEpoch(epoch, logs, state) {
      context.setState(state);
      for (const callback of callbacks) await callback.onEpochEnd?.(epoch, logs);
      const goOn = !model.stopTraining && epoch + 1 < epochs;
      const next = { epoch: epoch + 1, batch: 0, means: { seen: 0, loss: 0, metrics: [] } };
      await save(next, state, model.stopTraining);
      if (goOn) await beginEpoch(callbacks, epoch + 1, 0);
      return { goOn, learningRate: isNumber(context.learningRate) ? model.learningRate : undefined };
    },
    onCheckpoint: async (position, state) => save(position, state, false),
  };
}

/** In the middle of an epoch it has begun already, in an earlier run. */
async function beginEpoch(callbacks: Callback[], epoch: number, batch: number): Promise<void> {
  if (batch > 0) return;
  for (const callback of callbacks) await callback.onEpochBegin?.(epoch);
}

function takeUp(
  { state, position, learningRate, callbacks: saved }: Restored,
  model: TrainableModel,
  context: FitContext,
  callbacks: Callback[],
): Position {
  context.setState(state);
  if (learningRate !== undefined) model.learningRate = learningRate;
  callbacks.forEach((callback, index) => {
    const remembered = saved[index];
    if (remembered) callback.restore?.(remembered);
  });
  return position.batch === 0 ? { ...position, means: freshMeans(context) } : position;
}

const freshMeans = ({ compiled }: FitContext) => ({
  seen: 0,
  loss: 0,
  metrics: compiled.metrics.map(() => []),
});

/** Files are for Node alone, so they are loaded where they are asked for. */
async function openCheckpoints(
  checkpoint: NonNullable<FitOptions['checkpoint']>,
  model: TrainableModel,
  { compiled, seed }: FitContext,
  { batchSize = 32, shuffle = true }: FitOptions,
  examples: number | undefined,
): Promise<Checkpoints> {
  const { folderOfCheckpoints } = await import('../checkpoints/folder.ts');
  const { optimizer, terms, metrics } = compiled;
  return folderOfCheckpoints(checkpoint, {
    parameters: model.architecture.layers.flatMap((layer) => layer.parameters),
    slots: optimizer.slots,
    training: {
      optimizer: optimizer.name,
      loss: terms.length === 1 ? terms[0]!.loss.name : terms.map(termName).join(' + '),
      metrics: metrics.map(({ name }) => name),
      examples: examples ?? 'unknown',
      batchSize,
      shuffle,
      seed,
    },
  });
}

function dataOf(
  { architecture }: TrainableModel,
  x: Tensor | BatchSource<NamedBatch>,
  y: Targets | undefined,
  options: FitOptions,
  { terms }: Compiled,
): [training: Examples | BatchSource, validation?: Examples | BatchSource] {
  const held = options.validationData && validation(options.validationData);
  if (isSource(x)) {
    if (options.validationSplit)
      throw new RangeError('validationSplit is for arrays: take() and skip() split a data set');
    const source = checkedSource(architecture, x, terms, 'fit', options.classWeight);
    return held ? [source, held] : [source];
  }
  // The overloads of `fit` give targets with arrays.
  const examples = weighExamples(checkExamples(architecture, x, y!, terms, 'fit'), options, terms, 'fit');
  if (held) return [examples, held];
  return options.validationSplit ? splitExamples(examples, options.validationSplit) : [examples];

  function validation(data: ValidationData): Examples | BatchSource {
    const method = 'fit (validationData)';
    if (!Array.isArray(data)) return checkedSource(architecture, data, terms, method);
    const [heldX, heldY, sampleWeight] = data;
    const packed = packInputs(architecture, heldX, method);
    return weighExamples(
      checkExamples(architecture, packed, heldY, terms, method),
      { sampleWeight },
      terms,
      method,
    );
  }
}

const termName = ({ loss, name, weight }: Term): string => `${weight} ${name} ${loss.name}`;

/** A data set may know how many examples it has. */
function examplesOf(source: BatchSource<NamedBatch> & { examples?: number | undefined }): number | undefined {
  return source.examples;
}

const isNumber = (rate: number | Schedule): rate is number => typeof rate === 'number';
