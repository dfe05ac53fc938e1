import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** The last axis of x [N, ..., K] by weights [K, O]: [N, ..., O]. */
export function linear(x: Value, weights: Value): Value {
  if (x.shape.length > 2) return linearOverLastAxis(x, weights);
  return differentiable([x, weights], onnx.gemm(x, weights), (dy) => [
    onnx.gemm(dy, weights, { transB: true }),
    onnx.gemm(x, dy, { transA: true }),
  ]);
}

function linearOverLastAxis(x: Value, weights: Value): Value {
  return differentiable([x, weights], onnx.matMul(x, weights), (dy) => [
    onnx.reshape(onnx.gemm(onnx.toRows(dy), weights, { transB: true }), x.shape),
    onnx.gemm(onnx.toRows(x), onnx.toRows(dy), { transA: true }),
  ]);
}
