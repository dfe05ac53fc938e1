import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';

/** a + b, with numpy's broadcasting, as all here. */
export function add(a: Value, b: Value): Value {
  return differentiable([a, b], onnx.add(a, b), (dy) => [unbroadcast(dy, a.shape), unbroadcast(dy, b.shape)]);
}

export function subtract(a: Value, b: Value): Value {
  return differentiable([a, b], onnx.sub(a, b), (dy) => [
    unbroadcast(dy, a.shape),
    unbroadcast(onnx.neg(dy), b.shape),
  ]);
}

export function multiply(a: Value, b: Value): Value {
  return differentiable([a, b], onnx.mul(a, b), (dy) => [
    unbroadcast(onnx.mul(dy, b), a.shape),
    unbroadcast(onnx.mul(dy, a), b.shape),
  ]);
}

export function divide(a: Value, b: Value): Value {
  const y = onnx.div(a, b);
  return differentiable([a, b], y, (dy) => {
    const da = onnx.div(dy, b);
    return [unbroadcast(da, a.shape), unbroadcast(onnx.neg(onnx.mul(da, y)), b.shape)];
  });
}

/** The larger of a and b; of equal numbers the first gets the gradient. */
export const larger = (a: Value, b: Value): Value => pickOne(onnx.max(a, b), a, b, onnx.greaterOrEqual(a, b));

/** The smaller of a and b; of equal numbers the first gets the gradient. */
export const smaller = (a: Value, b: Value): Value =>
  pickOne(onnx.min(a, b), a, b, onnx.greaterOrEqual(b, a));

function pickOne(y: Value, a: Value, b: Value, isFirst: Value): Value {
  return differentiable([a, b], y, (dy) => {
    const first = onnx.mul(dy, onnx.mask(isFirst));
    return [unbroadcast(first, a.shape), unbroadcast(onnx.sub(dy, first), b.shape)];
  });
}

/** The gradient of an operand that was broadcast: the sum over the axes along which it was repeated. */
function unbroadcast(gradient: Value, shape: Shape): Value {
  let total = gradient;
  while (total.shape.length > shape.length) total = onnx.reduceSum(total, 0);
  shape.forEach((dim, axis) => {
    if (dim === 1 && total.shape[axis] !== 1) total = onnx.reduceSum(total, axis, { keepDims: true });
  });
  return total;
}
