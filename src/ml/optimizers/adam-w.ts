import * as onnx from '../primitives.ts';
import { type AdamOptions, adam } from './adam.ts';
import type { Optimizer } from './optimizer.ts';

export interface AdamWOptions extends AdamOptions {
  /** The share of each weight that a step takes away, times the learning rate; biases decay too, as in Keras. */
  weightDecay?: number;
}

/** Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as Keras' AdamW
 * (https://keras.io/api/optimizers/adamw/). */
export function adamW({ weightDecay = 0.004, ...options }: AdamWOptions = {}): Optimizer {
  const inner = adam(options);
  return {
    ...inner,
    name: 'adamw',
    update(update) {
      const { weights, learningRate } = update;
      const kept = onnx.sub(
        weights.graph.constant(1),
        onnx.mul(learningRate, weights.graph.constant(weightDecay)),
      );
      return inner.update({ ...update, weights: onnx.mul(weights, kept) });
    },
  };
}
