import type { Value } from '../graph.ts';

/** Builds a scalar loss, the mean over the batch. */
export interface Loss {
  readonly name: string;
  /** Whether the model's outputs are logits rather than probabilities; undefined where they are neither. */
  readonly fromLogits: boolean | undefined;
  /** Class numbers, int64 [N], or values of the outputs' shape. */
  readonly targets: 'classes' | 'values';
  /** outputs [N, K] and the targets to a scalar. */
  build(outputs: Value, targets: Value): Value;
}
