import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Zeroes the share `rate` of x where the noise, uniform in [0, 1) and broadcast to x, is below it, and scales the
 * rest by 1 / (1 - rate) (Srivastava et al., 2014). */
export function dropout(x: Value, rate: number, noise: Value): Value {
  const { graph } = x;
  const isKept = onnx.greaterOrEqual(noise, graph.constant(rate));
  const factors = onnx.mul(onnx.mask(isKept), graph.constant(1 / (1 - rate)));
  return differentiable([x], onnx.mul(x, factors), (dy) => [onnx.mul(dy, factors)]);
}
