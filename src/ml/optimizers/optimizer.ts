import type { Value } from '../graph.ts';

/** Builds one update of the flat weights. All values are of shape [parameters] but the last two, scalars. */
export interface Update {
  weights: Value;
  gradient: Value;
  /** What the optimizer remembers between steps, in the order of its `slots`. */
  slots: Value[];
  /** 1 in the first step. */
  iteration: Value;
  learningRate: Value;
}

export interface Optimizer {
  readonly name: string;
  readonly learningRate: number;
  /** Names of the vectors that the optimizer remembers, each starting at zero. */
  readonly slots: readonly string[];
  update(update: Update): { weights: Value; slots: Value[] };
}
