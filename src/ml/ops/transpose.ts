import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x with its axes in another order: axis i of the result is axis perm[i] of x. */
export function transpose(x: Value, perm: number[]): Value {
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return differentiable([x], onnx.transpose(x, perm), (dy) => [onnx.transpose(dy, inverse)]);
}
