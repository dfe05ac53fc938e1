import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x [..., C] times gain [C]. */
export function multiplyGain(x: Value, gain: Value): Value {
  return differentiable([x, gain], onnx.mul(x, gain), (dy) => [
    onnx.mul(dy, gain),
    onnx.reduceSum(onnx.toRows(onnx.mul(dy, x)), 0),
  ]);
}
