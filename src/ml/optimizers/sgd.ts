import * as onnx from '../primitives.ts';
import type { Optimizer } from './optimizer.ts';

/** Gradient descent with optional momentum, as Keras' SGD (https://keras.io/api/optimizers/sgd/). */
export function sgd({
  learningRate = 0.01,
  momentum = 0,
}: {
  learningRate?: number;
  momentum?: number;
} = {}): Optimizer {
  return {
    name: 'sgd',
    learningRate,
    slots: momentum === 0 ? [] : ['momentum'],
    update({ weights, gradient, slots: [velocity], learningRate: rate }) {
      const step = onnx.mul(gradient, rate);
      if (!velocity) return { weights: onnx.sub(weights, step), slots: [] };
      const next = onnx.sub(onnx.mul(velocity, weights.graph.constant(momentum)), step);
      return { weights: onnx.add(weights, next), slots: [next] };
    },
  };
}
