import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';

export function reshape(x: Value, shape: Shape): Value {
  return differentiable([x], onnx.reshape(x, shape), (dy) => [onnx.reshape(dy, x.shape)]);
}
