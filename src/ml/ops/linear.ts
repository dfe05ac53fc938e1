import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x [N, K] by weights [K, O]: [N, O]. */
export function linear(x: Value, weights: Value): Value {
  return differentiable([x, weights], onnx.gemm(x, weights), (dy) => [
    onnx.gemm(dy, weights, { transB: true }),
    onnx.gemm(x, dy, { transA: true }),
  ]);
}
