import type { CallbackState } from '../callbacks/callback.ts';
import type { Position, TrainingState } from '../training/engine.ts';

/** All that a training needs to go on in another process as if it had never ended. Random numbers and the order of
 * examples depend on the seed and `state.iteration` alone, so no generator needs keeping. */
export interface Checkpoint {
  state: TrainingState;
  position: Position;
  /** Whether a callback has ended the training. */
  isDone: boolean;
  /** Where callbacks may set it; a schedule gives it by itself. */
  learningRate: number | undefined;
  /** What the callbacks remember, in their order. */
  callbacks: readonly (CallbackState | undefined)[];
}

export type Restored = Checkpoint;

/** Keeps the newest checkpoints of one training. */
export interface Checkpoints {
  save(checkpoint: Checkpoint): Promise<void>;
  /** The newest that is whole; undefined where there is none. */
  latest(): Promise<Restored | undefined>;
}
