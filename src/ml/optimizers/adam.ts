import * as onnx from '../primitives.ts';
import { beforeUpdate, type Optimizer, type OptimizerOptions } from './optimizer.ts';

export interface AdamOptions extends OptimizerOptions {
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /** Whether to divide by the largest mean square so far (Reddi et al., 2018). */
  amsgrad?: boolean;
}

/** Adam (Kingma and Ba, 2015) with Keras' defaults and Keras' place for epsilon, outside the bias correction
 * (https://keras.io/api/optimizers/adam/). */
export function adam({
  learningRate = 1e-3,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-7,
  amsgrad = false,
  ...options
}: AdamOptions = {}): Optimizer {
  return {
    name: 'adam',
    learningRate,
    slots: ['momentum', 'velocity', ...(amsgrad ? ['velocity_hat'] : [])],
    ...beforeUpdate('adam', options),
    update({ weights, gradient, slots: [momentum, velocity, largest], iteration, learningRate: rate }) {
      const constant = (value: number) => weights.graph.constant(value);
      const oneMinus = (power: typeof rate) => onnx.sub(constant(1), power);
      const m = onnx.add(onnx.mul(momentum!, constant(beta1)), onnx.mul(gradient, constant(1 - beta1)));
      const squared = onnx.mul(gradient, gradient);
      const v = onnx.add(onnx.mul(velocity!, constant(beta2)), onnx.mul(squared, constant(1 - beta2)));
      const bias1 = oneMinus(onnx.pow(constant(beta1), iteration));
      const bias2 = oneMinus(onnx.pow(constant(beta2), iteration));
      const size = onnx.div(onnx.mul(rate, onnx.sqrt(bias2)), bias1);
      const hat = largest && onnx.max(largest, v);
      const step = onnx.div(onnx.mul(m, size), onnx.add(onnx.sqrt(hat ?? v), constant(epsilon)));
      return { weights: onnx.sub(weights, step), slots: [m, v, ...(hat ? [hat] : [])] };
    },
  };
}
