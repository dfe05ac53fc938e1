import { type AdamOptions, adam } from './adam.ts';
import type { Optimizer } from './optimizer.ts';

/** Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as Keras' AdamW
 * (https://keras.io/api/optimizers/adamw/). */
export function adamW({ weightDecay = 0.004, ...options }: AdamOptions = {}): Optimizer {
  return { ...adam({ ...options, weightDecay }), name: 'adamw' };
}
