import { crossEntropyFromLogits, crossEntropyFromProbabilities } from '../ops/cross-entropy.ts';
import type { Loss } from './loss.ts';

/** Cross-entropy against class numbers, as Keras' SparseCategoricalCrossentropy
 * (https://keras.io/api/losses/probabilistic_losses/). */
export function sparseCategoricalCrossentropy({ fromLogits = false }: { fromLogits?: boolean } = {}): Loss {
  return {
    name: 'sparse_categorical_crossentropy',
    fromLogits,
    targets: 'classes',
    build: fromLogits ? crossEntropyFromLogits : crossEntropyFromProbabilities,
  };
}
