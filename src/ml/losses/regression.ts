import * as op from '../ops/elementwise-losses.ts';
import type { Loss } from './loss.ts';

const regression = (name: string, build: Loss['build']): Loss => ({
  name,
  fromLogits: undefined,
  targets: 'values',
  build,
});

/** Keras' MeanSquaredError (https://keras.io/api/losses/regression_losses/). */
export const meanSquaredError = (): Loss => regression('mean_squared_error', op.meanSquaredError);

/** Keras' MeanAbsoluteError. */
export const meanAbsoluteError = (): Loss => regression('mean_absolute_error', op.meanAbsoluteError);

/** Keras' Huber: quadratic up to `delta`, linear beyond. */
export const huber = ({ delta = 1 }: { delta?: number } = {}): Loss =>
  regression('huber_loss', (outputs, targets, weights) => op.huber(outputs, targets, delta, weights));
