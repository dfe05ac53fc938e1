import type { Value } from '../graph.ts';
import type { Schedule } from './schedules.ts';

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

/** What every optimizer takes, as in Keras (https://keras.io/api/optimizers/). */
export interface OptimizerOptions {
  /** A number, or a schedule of `schedules.ts`. */
  learningRate?: number | Schedule;
  /** The share of each weight that a step takes away, times the learning rate; biases decay too. */
  weightDecay?: number | undefined;
  /** The gradient of each parameter is shortened to this norm. */
  clipnorm?: number | undefined;
  /** Each element of the gradient is kept within plus and minus this. */
  clipvalue?: number | undefined;
  /** The gradient of all parameters together is shortened to this norm. */
  globalClipnorm?: number | undefined;
}

export interface Optimizer {
  readonly name: string;
  readonly learningRate: number | Schedule;
  /** Names of the vectors that the optimizer remembers, each starting at zero. */
  readonly slots: readonly string[];
  /** What is done to weights and gradients before `update`; see `step.ts`. */
  readonly before?: BeforeUpdate;
  /** A term of the objective that `proximal()` adds. */
  readonly proximal?: { mu: number };
  update(update: Update): { weights: Value; slots: Value[] };
}

export type BeforeUpdate = Omit<OptimizerOptions, 'learningRate'>;

/** Checks and keeps the options that `step.ts` carries out. */
export function beforeUpdate(
  optimizer: string,
  { weightDecay, clipnorm, clipvalue, globalClipnorm }: OptimizerOptions,
): { before: BeforeUpdate } {
  const clips = Object.entries({ clipnorm, clipvalue, globalClipnorm }).filter(
    ([, value]) => value !== undefined,
  );
  if (clips.length > 1) {
    throw new RangeError(`${optimizer}: only one of ${clips.map(([name]) => name).join(' and ')} can be set`);
  }
  for (const [name, value] of clips) {
    if (!(value! > 0)) throw new RangeError(`${optimizer}: ${name} must be above 0, got ${value}`);
  }
  return { before: { weightDecay, clipnorm, clipvalue, globalClipnorm } };
}
