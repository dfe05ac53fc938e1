import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

export function relu(x: Value): Value {
  const y = onnx.relu(x);
  return differentiable([x], y, (dy) => [onnx.mul(dy, onnx.mask(onnx.greater(y, y.graph.constant(0))))]);
}

/** Softmax over the last axis of x [N, C]. */
export function softmax(x: Value): Value {
  const y = onnx.softmax(x);
  return differentiable([x], y, (dy) => {
    const mean = onnx.reduceSum(onnx.mul(dy, y), 1, { keepDims: true });
    return [onnx.mul(onnx.sub(dy, mean), y)];
  });
}
