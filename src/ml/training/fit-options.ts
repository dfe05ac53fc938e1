import type { Callback } from '../callbacks/callback.ts';
import type { Targets } from '../check-examples.ts';
import type { Inputs } from '../packed-inputs.ts';
import type { BatchSource, NamedBatch } from './engine.ts';
import type { SampleWeights } from './example-weights.ts';

export interface CheckpointOptions {
  /** The folder of this training's checkpoints; it is made where it is missing. */
  dir: string;
  /** Batches between two checkpoints; one is made after every epoch in any case. */
  everyBatches?: number;
  /** Checkpoints that are kept, the newest; 2 by default. */
  keep?: number;
}

/** Examples to hold out: with weights where they should count differently in `val_loss`. */
export type ValidationData =
  | [x: Inputs, y: Targets]
  | [x: Inputs, y: Targets, sampleWeight: SampleWeights]
  | BatchSource<NamedBatch>;

export interface DatasetFitOptions {
  epochs?: number;
  validationData?: ValidationData;
  /** How much the examples of each class count in the loss, by class number; 1 where a class is missing. */
  classWeight?: Readonly<Record<number, number>>;
  callbacks?: Callback[];
  /** Writes the state of the training to files, and goes on from the last one that an earlier run left. */
  checkpoint?: CheckpointOptions;
  /** Ends the training after the batch at hand; the weights so far stay. */
  signal?: AbortSignal;
}

export interface FitOptions extends DatasetFitOptions {
  batchSize?: number;
  shuffle?: boolean;
  /** The share of the examples, the last ones, that is kept for validation; `validationData` goes before it. */
  validationSplit?: number;
  /** How much each example counts in the loss; of several outputs also by output. */
  sampleWeight?: SampleWeights;
}

export interface EvaluateOptions {
  batchSize?: number;
  sampleWeight?: SampleWeights;
}
