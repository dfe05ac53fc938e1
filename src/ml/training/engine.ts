import type { Each } from '../by-name.ts';
import type { MetricSpec } from '../metrics/metric.ts';
import type { Schedule } from '../optimizers/schedules.ts';
import type { RandomInput } from '../random-inputs.ts';
import type { Tensor } from '../tensor.ts';

/** Images or other examples, with one class number (int32) or one row of values (float32) each; of several outputs
 * the rows hold the numbers of all. */
export interface Examples {
  x: Tensor;
  y: Int32Array | Float32Array;
  /** How much each example counts in the loss, of several outputs in that of each; all count 1 where there are none. */
  sampleWeights?: Float32Array | undefined;
}

/** Examples that are used in one step. */
export interface Batch {
  /** [count, ...] */
  x: Tensor;
  /** Class numbers, int32 [count], or values, float32 [count, outputs]. */
  y: Tensor;
  /** float32 [count], of several outputs [count, outputs] */
  sampleWeights?: Tensor | undefined;
}

/** The same as data sets may give it: several inputs and outputs in their order or by name. */
export interface NamedBatch {
  x: Tensor | Each<Tensor>;
  y: Tensor | Each<Tensor>;
  sampleWeights?: Tensor | Each<Tensor> | undefined;
}

/** Where the batches come from, pass after pass, when they are not all in memory. */
export interface BatchSource<B extends NamedBatch = Batch> {
  /** The batches of one epoch from the given one on; the same epoch always gives the same ones. */
  batches(pass: { epoch: number; fromBatch: number }): AsyncIterable<B>;
}

/** An ONNX graph of `programs.ts`; engines keep its session under `id`. */
export interface Program {
  id: string;
  bytes: Uint8Array;
  /** What the engine fills with random numbers before each step. */
  randomInputs?: readonly RandomInput[] | undefined;
}

/** What a training step changes: flat vectors of one length, and the steps done so far. */
export interface TrainingState {
  weights: Float32Array;
  slots: Float32Array[];
  iteration: number;
}

/** How far a training has come. */
export interface Position {
  epoch: number;
  /** Batches of this epoch that are done. */
  batch: number;
  /** The sums behind the means of this epoch so far. */
  means: MeansState;
}

export interface MeansState {
  seen: number;
  loss: number;
  metrics: number[][];
}

export interface TrainJob {
  program: Program;
  /** A faster program for batches of exactly so many rows. */
  whole?: { rows: number; program: Program } | undefined;
  /** Names of the optimizer's slots, in the order of `state.slots`. */
  slots: readonly string[];
  state: TrainingState;
  examples: Examples | BatchSource;
  validation?: { program: Program; examples: Examples | BatchSource } | undefined;
  metrics: readonly MetricSpec[];
  epochs: number;
  batchSize: number;
  shuffle: boolean;
  seed: number;
  learningRate: number | Schedule;
  /** Where an earlier run of this training ended. */
  from?: Position | undefined;
  /** Batches between two checkpoints; none are made where it is undefined. */
  checkpointEveryBatches?: number | undefined;
}

/** The figures of an epoch by Keras' names: `loss`, those of the metrics, and with `val_` those of the validation.
 * `accuracy` is among them unless `compile` was given other metrics. */
export interface EpochLogs {
  loss: number;
  accuracy: number;
  [figure: string]: number;
}

/** The running means of an epoch so far. */
export interface BatchLogs extends EpochLogs {
  /** From 0. */
  epoch: number;
  /** Examples done in this epoch. */
  seen: number;
}

/** What a listener wants after an epoch. */
export interface EpochAnswer {
  goOn: boolean;
  /** The rate of the next epoch, where it changes. */
  learningRate?: number | undefined;
}

export interface TrainListener {
  /** Called often, but not for every batch. Answering false ends the epoch after the batch at hand. */
  onBatch(logs: BatchLogs): boolean;
  /** Training goes on when this resolves, and ends if it answers so. */
  onEpoch(epoch: number, logs: EpochLogs, state: TrainingState): Promise<EpochAnswer>;
  /** Training goes on when this resolves. */
  onCheckpoint?(position: Position, state: TrainingState): Promise<void>;
}

/** Does a model's heavy work: in this thread (`localEngine`) or in another. */
export interface Engine {
  /** Trains, and returns the state after the last step. An abort ends it after the batch at hand. */
  train(job: TrainJob, listener: TrainListener, signal?: AbortSignal): Promise<TrainingState>;
  evaluate(job: EvaluateJob): Promise<EpochLogs>;
  predict(job: PredictJob): Promise<Tensor>;
  close(): Promise<void>;
}

export interface EvaluateJob {
  program: Program;
  weights: Float32Array;
  examples: Examples | BatchSource;
  batchSize: number;
  metrics: readonly MetricSpec[];
}

export interface PredictJob {
  program: Program;
  weights: Float32Array;
  x: Tensor | BatchSource;
  batchSize: number;
}

export const isSource = <T extends object, B extends NamedBatch = Batch>(
  examples: T | BatchSource<B>,
): examples is BatchSource<B> => 'batches' in examples && typeof examples.batches === 'function';
