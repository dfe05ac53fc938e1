import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x [..., C] plus bias [C]. */
export function addBias(x: Value, bias: Value): Value {
  return differentiable([x, bias], onnx.add(x, bias), (dy) => [dy, onnx.reduceSum(onnx.toRows(dy), 0)]);
}
