import type { Value } from '../graph.ts';
import { divide } from '../ops/arithmetic.ts';
import { penalty } from '../ops/penalty.ts';
import * as onnx from '../primitives.ts';
import type { ForwardContext, Regularizer } from './layer.ts';

/** rate * sum |x|, as keras.regularizers.L1 (https://keras.io/api/layers/regularizers/). */
export const l1 = (rate = 0.01): Regularizer => ({ l1: rate, l2: 0 });

/** rate * sum x², as keras.regularizers.L2. */
export const l2 = (rate = 0.01): Regularizer => ({ l1: 0, l2: rate });

/** Both, as keras.regularizers.L1L2. */
export const l1l2 = (rates: Partial<Regularizer> = {}): Regularizer => ({ l1: 0, l2: 0, ...rates });

/** Adds to the loss what a regularizer makes of a layer's output, divided by the batch size as in Keras. */
export function regularizeActivity(
  y: Value,
  regularizer: Regularizer | undefined,
  { addLoss }: ForwardContext,
): Value {
  if (regularizer) addLoss(divide(penalty(y, regularizer), onnx.batchSize(y)));
  return y;
}
