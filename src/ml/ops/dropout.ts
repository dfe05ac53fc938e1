import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Zeroes a share `rate` of x at random and scales the rest by 1 / (1 - rate) (Srivastava et al., 2014). */
export function dropout(x: Value, rate: number, seed: number): Value {
  const { graph } = x;
  const isKept = onnx.greaterOrEqual(onnx.randomUniformLike(x, seed), graph.constant(rate));
  const factors = onnx.mul(onnx.mask(isKept), graph.constant(1 / (1 - rate)));
  return differentiable([x], onnx.mul(x, factors), (dy) => [onnx.mul(dy, factors)]);
}
