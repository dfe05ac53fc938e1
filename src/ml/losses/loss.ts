import type { Value } from '../graph.ts';

/** Builds a scalar loss, the mean over the batch. */
export interface Loss {
  readonly name: string;
  /** Whether the model's outputs are logits rather than probabilities. */
  readonly fromLogits: boolean;
  /** outputs [N, classes], labels int64 [N]. */
  build(outputs: Value, labels: Value): Value;
}
