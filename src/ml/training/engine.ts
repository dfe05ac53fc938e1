import type { Tensor } from '../tensor.ts';

/** Images or other examples, with one class number (int32) or one row of values (float32) each. */
export interface Examples {
  x: Tensor;
  y: Int32Array | Float32Array;
}

/** An ONNX graph of `programs.ts`; engines keep its session under `id`. */
export interface Program {
  id: string;
  bytes: Uint8Array;
}

/** What a training step changes: flat vectors of one length, and the steps done so far. */
export interface TrainingState {
  weights: Float32Array;
  slots: Float32Array[];
  iteration: number;
}

export interface TrainJob {
  program: Program;
  /** Names of the optimizer's slots, in the order of `state.slots`. */
  slots: readonly string[];
  state: TrainingState;
  examples: Examples;
  validation?: { program: Program; examples: Examples } | undefined;
  epochs: number;
  batchSize: number;
  shuffle: boolean;
  seed: number;
  learningRate: number;
}

/** The running means of an epoch so far. */
export interface BatchLogs {
  /** From 0. */
  epoch: number;
  /** Examples done in this epoch. */
  seen: number;
  loss: number;
  accuracy: number;
}

/** The figures of a finished epoch, by Keras' names. */
export interface EpochLogs {
  loss: number;
  accuracy: number;
  val_loss?: number;
  val_accuracy?: number;
}

export interface TrainListener {
  /** Called often, but not for every batch. */
  onBatch(logs: BatchLogs): void;
  /** Training goes on when this resolves, and ends if it answers false. */
  onEpoch(epoch: number, logs: EpochLogs, state: TrainingState): Promise<boolean>;
}

/** Does a model's heavy work: in this thread (`localEngine`) or in another. */
export interface Engine {
  /** Trains, and returns the state after the last step. An abort ends it after the batch at hand. */
  train(job: TrainJob, listener: TrainListener, signal?: AbortSignal): Promise<TrainingState>;
  evaluate(job: EvaluateJob): Promise<{ loss: number; accuracy: number }>;
  predict(job: PredictJob): Promise<Tensor>;
  close(): Promise<void>;
}

export interface EvaluateJob {
  program: Program;
  weights: Float32Array;
  examples: Examples;
  batchSize: number;
}

export interface PredictJob {
  program: Program;
  weights: Float32Array;
  x: Tensor;
  batchSize: number;
}
