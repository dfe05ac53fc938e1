import type { Value } from '../graph.ts';

/** Builds a scalar loss, the mean over the batch. */
export interface Loss {
  readonly name: string;
  /** Whether the model's outputs are logits rather than probabilities; undefined where they are neither. */
  readonly fromLogits: boolean | undefined;
  /** Class numbers, int64 [N], or values of the outputs' shape. */
  readonly targets: 'classes' | 'values';
  /** outputs [N, K], the targets and the weights of the examples [N] to a scalar: the sum of each example's loss times
   * its weight, by N. */
  build(outputs: Value, targets: Value, weights?: Value): Value;
}
