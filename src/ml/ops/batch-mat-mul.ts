import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Products of matrices: a [..., M, K] by b [..., K, O], with the same leading axes: [..., M, O]. */
export function batchMatMul(a: Value, b: Value): Value {
  return differentiable([a, b], onnx.batchMatMul(a, b), (dy) => [
    onnx.batchMatMul(dy, transposed(b)),
    onnx.batchMatMul(transposed(a), dy),
  ]);
}

function transposed(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  return onnx.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}
