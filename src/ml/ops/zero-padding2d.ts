import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Zeros before and after, along both sides of an image. */
export type Margins = readonly [vertical: readonly [number, number], horizontal: readonly [number, number]];

/** x [N, H, W, C] with rows and columns of zeros around it. */
export function zeroPadding2d(x: Value, [[top, bottom], [left, right]]: Margins): Value {
  const y = onnx.pad(onnx.pad(x, 1, top, bottom), 2, left, right);
  return differentiable([x], y, (dy) => [onnx.pad(onnx.pad(dy, 1, -top, -bottom), 2, -left, -right)]);
}
