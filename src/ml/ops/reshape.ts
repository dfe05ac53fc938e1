import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';

export function reshape(x: Value, shape: Shape): Value {
  return differentiable([x], onnx.reshape(x, shape), (dy) => [onnx.reshape(dy, x.shape)]);
}

/** x in a shape whose N is another number of examples, as when all time steps pass for examples of their own. */
export function relabel(x: Value, shape: Shape): Value {
  return differentiable([x], onnx.relabel(x, shape), (dy) => [onnx.relabel(dy, x.shape)]);
}
