import type { Tensor } from '../tensor.ts';
import type {
  Batch,
  BatchLogs,
  BatchSource,
  EpochAnswer,
  EpochLogs,
  EvaluateJob,
  Position,
  PredictJob,
  TrainingState,
  TrainJob,
} from '../training/engine.ts';

/** A batch source in the main thread, as the worker knows it. */
export interface RemoteSource {
  source: number;
}

/** A job whose data sets stay in the main thread. */
export type Remote<Job> = {
  [Key in keyof Job]: Job[Key] extends infer Part
    ? Part extends BatchSource
      ? RemoteSource
      : Part extends { program: unknown; examples: unknown }
        ? Remote<Part>
        : Part
    : never;
};

/** What the main thread sends to an engine's worker thread. */
export type Request =
  | { kind: 'train'; id: number; job: Remote<TrainJob> }
  | { kind: 'evaluate'; id: number; job: Remote<EvaluateJob> }
  | { kind: 'predict'; id: number; job: Remote<PredictJob> }
  | { kind: 'abort'; id: number }
  | { kind: 'endEpoch'; id: number }
  | { kind: 'answer'; id: number; answer: EpochAnswer }
  | { kind: 'batch'; stream: number; batch: Batch | undefined }
  | { kind: 'batchError'; stream: number; error: unknown }
  | { kind: 'close'; id: number };

/** What the worker thread sends back. */
export type Reply =
  | { kind: 'batch'; id: number; logs: BatchLogs }
  | { kind: 'epoch'; id: number; epoch: number; logs: EpochLogs; state: TrainingState }
  | { kind: 'checkpoint'; id: number; position: Position; state: TrainingState }
  /** Asks for the next batch of a stream; the first time it says which. */
  | { kind: 'pull'; stream: number; open?: { source: number; epoch: number; fromBatch: number } }
  | { kind: 'closeStream'; stream: number }
  | { kind: 'result'; id: number; result: TrainingState | EpochLogs | Tensor | undefined }
  | { kind: 'error'; id: number; error: unknown };

/** What the worker thread is started with. */
export interface WorkerOptions {
  threads: number | undefined;
  /** See `exit-gate.ts`. */
  gate: Int32Array;
}
