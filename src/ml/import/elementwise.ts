/** Differentiable functions of each number, besides those of `ops/activations.ts`. */
import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import { add, larger, multiply, smaller } from '../ops/arithmetic.ts';
import * as onnx from '../primitives.ts';

export function exp(x: Value): Value {
  const y = onnx.exp(x);
  return differentiable([x], y, (dy) => [onnx.mul(dy, y)]);
}

export const log = (x: Value): Value => differentiable([x], onnx.log(x), (dy) => [onnx.div(dy, x)]);

export const neg = (x: Value): Value => differentiable([x], onnx.neg(x), (dy) => [onnx.neg(dy)]);

export function abs(x: Value): Value {
  const zero = x.graph.constant(0);
  const sign = () => onnx.sub(onnx.mask(onnx.greater(x, zero)), onnx.mask(onnx.greater(zero, x)));
  return differentiable([x], onnx.abs(x), (dy) => [onnx.mul(dy, sign())]);
}

export function sqrt(x: Value): Value {
  const y = onnx.sqrt(x);
  return differentiable([x], y, (dy) => [onnx.div(dy, onnx.mul(y, x.graph.constant(2)))]);
}

/** x to the power of a constant. */
export function power(x: Value, exponent: number): Value {
  if (exponent === 2) return multiply(x, x);
  const { graph } = x;
  return differentiable([x], onnx.pow(x, graph.constant(exponent)), (dy) => [
    onnx.mul(dy, onnx.mul(onnx.pow(x, graph.constant(exponent - 1)), graph.constant(exponent))),
  ]);
}

export function erf(x: Value): Value {
  const { graph } = x;
  return differentiable([x], onnx.erf(x), (dy) => {
    const bell = onnx.exp(onnx.neg(onnx.mul(x, x)));
    return [onnx.mul(dy, onnx.mul(bell, graph.constant(2 / Math.sqrt(Math.PI))))];
  });
}

/** x kept between two numbers, either of which may be infinite. */
export function clip(x: Value, least: number, most: number): Value {
  const raised = least > -Infinity ? larger(x, x.graph.constant(least)) : x;
  return most < Infinity ? smaller(raised, x.graph.constant(most)) : raised;
}

/** alpha x + beta, kept between 0 and 1. */
export function hardSigmoid(x: Value, alpha: number, beta: number): Value {
  const line = add(multiply(x, x.graph.constant(alpha)), x.graph.constant(beta));
  return clip(line, 0, 1);
}
