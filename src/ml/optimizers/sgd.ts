import * as onnx from '../primitives.ts';
import { beforeUpdate, type Optimizer, type OptimizerOptions } from './optimizer.ts';

export interface SgdOptions extends OptimizerOptions {
  momentum?: number;
  /** Whether to step as if the momentum had been applied already (Nesterov, 1983). */
  nesterov?: boolean;
}

/** Gradient descent with optional momentum, as Keras' SGD (https://keras.io/api/optimizers/sgd/). */
export function sgd({
  learningRate = 0.01,
  momentum = 0,
  nesterov = false,
  ...options
}: SgdOptions = {}): Optimizer {
  return {
    name: 'sgd',
    learningRate,
    slots: momentum === 0 ? [] : ['momentum'],
    ...beforeUpdate('sgd', options),
    update({ weights, gradient, slots: [velocity], learningRate: rate }) {
      const step = onnx.mul(gradient, rate);
      if (!velocity) return { weights: onnx.sub(weights, step), slots: [] };
      const factor = weights.graph.constant(momentum);
      const next = onnx.sub(onnx.mul(velocity, factor), step);
      const move = nesterov ? onnx.sub(onnx.mul(next, factor), step) : next;
      return { weights: onnx.add(weights, move), slots: [next] };
    },
  };
}
