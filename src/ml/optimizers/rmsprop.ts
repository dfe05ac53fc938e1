import * as onnx from '../primitives.ts';
import { beforeUpdate, type Optimizer, type OptimizerOptions } from './optimizer.ts';

export interface RmspropOptions extends OptimizerOptions {
  rho?: number;
  momentum?: number;
  epsilon?: number;
  /** Whether to divide by the estimated variance of the gradient rather than by its mean square. */
  centered?: boolean;
}

/** RMSprop (Tieleman and Hinton, 2012) as Keras': epsilon stands under the root
 * (https://keras.io/api/optimizers/rmsprop/). */
export function rmsprop({
  learningRate = 1e-3,
  rho = 0.9,
  momentum = 0,
  epsilon = 1e-7,
  centered = false,
  ...options
}: RmspropOptions = {}): Optimizer {
  const slots = ['velocity', ...(momentum > 0 ? ['momentum'] : []), ...(centered ? ['average'] : [])];
  return {
    name: 'rmsprop',
    learningRate,
    slots,
    ...beforeUpdate('rmsprop', options),
    update({ weights, gradient, slots: values, learningRate: rate }) {
      const constant = (value: number) => weights.graph.constant(value);
      const slot = (name: string) => values[slots.indexOf(name)]!;
      const blend = (old: typeof gradient, fresh: typeof gradient) =>
        onnx.add(onnx.mul(old, constant(rho)), onnx.mul(fresh, constant(1 - rho)));
      const velocity = blend(slot('velocity'), onnx.mul(gradient, gradient));
      const average = centered && blend(slot('average'), gradient);
      const spread = average ? onnx.sub(velocity, onnx.mul(average, average)) : velocity;
      const scaled = onnx.div(onnx.mul(gradient, rate), onnx.sqrt(onnx.add(spread, constant(epsilon))));
      const moved = momentum > 0 && onnx.add(onnx.mul(slot('momentum'), constant(momentum)), scaled);
      return {
        weights: onnx.sub(weights, moved || scaled),
        slots: [velocity, ...(moved ? [moved] : []), ...(average ? [average] : [])],
      };
    },
  };
}
