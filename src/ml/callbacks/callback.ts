import type { BatchLogs, EpochLogs } from '../training/engine.ts';

export interface TrainingInfo {
  epochs: number;
  /** Training examples in each epoch; undefined where a data set does not know. */
  examples: number | undefined;
  batchSize: number;
}

/** The model in training, as far as callbacks may touch it. */
export interface TrainedModel {
  /** Those of the last finished epoch; setting them in `onTrainEnd` sets the model's. */
  weights: Float32Array;
  /** Setting it changes the rate from the next epoch on.
   * @throws Error where the optimizer was made with a schedule. */
  learningRate: number;
  /** The weights of the last finished epoch as a safetensors file. */
  weightsFile(): Uint8Array;
  /** Set in `onBatchEnd` it ends the epoch at hand, set in `onEpochEnd` the training. */
  stopTraining: boolean;
}

/** What a callback remembers, for a checkpoint. */
export interface CallbackState {
  /** As JSON holds it; numbers may be infinite or NaN. */
  values: unknown;
  weights?: Float32Array | undefined;
}

/** Told of a training's progress. What a callback throws ends the training and rejects `fit`. */
export interface Callback {
  onTrainBegin?(info: TrainingInfo, model: TrainedModel): void | Promise<void>;
  /** Epochs count from 0. */
  onEpochBegin?(epoch: number): void | Promise<void>;
  /** Called several times a second, not for every batch. */
  onBatchEnd?(logs: BatchLogs): void;
  /** Training waits for the promise. The model holds the epoch's weights by then. */
  onEpochEnd?(epoch: number, logs: EpochLogs): void | Promise<void>;
  onTrainEnd?(): void | Promise<void>;
  /** What must be known to go on in another process, after `onTrainBegin` there. */
  save?(): CallbackState;
  restore?(state: CallbackState): void;
}
