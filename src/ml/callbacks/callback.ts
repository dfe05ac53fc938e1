import type { BatchLogs, EpochLogs } from '../training/engine.ts';

export interface TrainingInfo {
  epochs: number;
  /** Training examples in each epoch. */
  examples: number;
  batchSize: number;
}

/** Told of a training's progress. What a callback throws ends the training and rejects `fit`. */
export interface Callback {
  onTrainBegin?(info: TrainingInfo): void;
  /** Called several times a second, not for every batch. */
  onBatchEnd?(logs: BatchLogs): void;
  /** Epochs count from 0; training waits for the promise. The model holds the epoch's weights by then. */
  onEpochEnd?(epoch: number, logs: EpochLogs): void | Promise<void>;
  onTrainEnd?(): void;
}
