import type { BatchLogs, EpochLogs } from '../training/engine.ts';

export interface TrainingInfo {
  epochs: number;
  /** Training examples in each epoch. */
  examples: number;
  batchSize: number;
}

/** The model in training, as far as callbacks may touch it. */
export interface TrainedModel {
  /** Those of the last finished epoch; setting them in `onTrainEnd` sets the model's. */
  weights: Float32Array;
  stopTraining: boolean;
}

/** Told of a training's progress. What a callback throws ends the training and rejects `fit`. */
export interface Callback {
  onTrainBegin?(info: TrainingInfo, model: TrainedModel): void;
  /** Called several times a second, not for every batch. */
  onBatchEnd?(logs: BatchLogs): void;
  /** Epochs count from 0; training waits for the promise. The model holds the epoch's weights by then. */
  onEpochEnd?(epoch: number, logs: EpochLogs): void | Promise<void>;
  onTrainEnd?(): void;
}
