import type { Tensor } from '../tensor.ts';
import type {
  BatchLogs,
  EpochLogs,
  EvaluateJob,
  PredictJob,
  TrainingState,
  TrainJob,
} from '../training/engine.ts';

/** What the main thread sends to an engine's worker thread. */
export type Request =
  | { kind: 'train'; id: number; job: TrainJob }
  | { kind: 'evaluate'; id: number; job: EvaluateJob }
  | { kind: 'predict'; id: number; job: PredictJob }
  | { kind: 'abort'; id: number }
  | { kind: 'epochAnswer'; id: number; goOn: boolean }
  | { kind: 'close'; id: number };

/** What the worker thread sends back. */
export type Reply =
  | { kind: 'batch'; id: number; logs: BatchLogs }
  | { kind: 'epoch'; id: number; epoch: number; logs: EpochLogs; state: TrainingState }
  | {
      kind: 'result';
      id: number;
      result: TrainingState | { loss: number; accuracy: number } | Tensor | undefined;
    }
  | { kind: 'error'; id: number; error: unknown };

/** What the worker thread is started with. */
export interface WorkerOptions {
  threads: number | undefined;
  /** See `exit-gate.ts`. */
  gate: Int32Array;
}
