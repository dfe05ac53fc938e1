import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Elements `start` to `end` - 1 along one axis. Where gradients of slices fit together, `gradients` joins them
 * rather than adding up padded ones. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const length = x.shape[axis] as number;
  return differentiable([x], onnx.slice(x, axis, start, end), (dy) => [
    onnx.pad(dy, axis, start, length - end),
  ]);
}

/** Equal parts along the last axis. */
export function split(x: Value, count: number): Value[] {
  const axis = x.shape.length - 1;
  const length = (x.shape[axis] as number) / count;
  return Array.from({ length: count }, (_, part) => slice(x, axis, part * length, (part + 1) * length));
}
