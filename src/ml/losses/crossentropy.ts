import type { Value } from '../graph.ts';
import {
  categoricalCrossEntropyFromLogits,
  categoricalCrossEntropyFromProbabilities,
} from '../ops/categorical-cross-entropy.ts';
import {
  binaryCrossEntropyFromLogits,
  binaryCrossEntropyFromProbabilities,
} from '../ops/elementwise-losses.ts';
import * as onnx from '../primitives.ts';
import type { Loss } from './loss.ts';

export interface CrossentropyOptions {
  /** Whether the model's outputs are logits rather than probabilities. */
  fromLogits?: boolean;
  /** The share of the target that is spread evenly over all classes. */
  labelSmoothing?: number;
}

/** Cross-entropy of each output against 0 or 1, as Keras' BinaryCrossentropy
 * (https://keras.io/api/losses/probabilistic_losses/). */
export function binaryCrossentropy({
  fromLogits = false,
  labelSmoothing = 0,
}: CrossentropyOptions = {}): Loss {
  const op = fromLogits ? binaryCrossEntropyFromLogits : binaryCrossEntropyFromProbabilities;
  return {
    name: 'binary_crossentropy',
    fromLogits,
    targets: 'values',
    build: (outputs, targets, weights) => op(outputs, smooth(targets, labelSmoothing, 2), weights),
  };
}

/** Cross-entropy against one-hot rows or other distributions [N, classes], as Keras' CategoricalCrossentropy. */
export function categoricalCrossentropy({
  fromLogits = false,
  labelSmoothing = 0,
}: CrossentropyOptions = {}): Loss {
  const op = fromLogits ? categoricalCrossEntropyFromLogits : categoricalCrossEntropyFromProbabilities;
  return {
    name: 'categorical_crossentropy',
    fromLogits,
    targets: 'values',
    build: (outputs, targets, weights) =>
      op(outputs, smooth(targets, labelSmoothing, targets.shape[1] as number), weights),
  };
}

function smooth(targets: Value, share: number, classes: number): Value {
  if (share === 0) return targets;
  const { graph } = targets;
  return onnx.add(onnx.mul(targets, graph.constant(1 - share)), graph.constant(share / classes));
}
