/** Differentiable ops that move numbers about, on any axes. */
import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';

export function transpose(x: Value, perm: number[]): Value {
  const y = onnx.transpose(x, perm);
  // One that undoes the transpose before it gives that one's input, which gets its gradient by itself.
  if (y === x.graph.producer(x)?.inputs[0]) return y;
  const back = perm.map((_, axis) => perm.indexOf(axis));
  return differentiable([x], y, (dy) => [onnx.transpose(dy, back)]);
}

export function concat(values: Value[], axis: number): Value {
  if (values.length === 1) return values[0]!;
  return differentiable(values, onnx.concat(values, axis), (dy) => {
    let start = 0;
    return values.map((value) => {
      const end = start + (value.shape[axis] as number);
      const part = onnx.slice(dy, axis, start, end);
      start = end;
      return part;
    });
  });
}

export function slice(x: Value, axis: number, start: number, end: number): Value {
  const length = x.shape[axis] as number;
  return differentiable([x], onnx.slice(x, axis, start, end), (dy) => [
    onnx.pad(dy, axis, start, length - end),
  ]);
}

/** Numbers `fill` before and after each axis; a negative count crops. */
export function pad(x: Value, before: readonly number[], after: readonly number[], fill = 0): Value {
  if ([...before, ...after].every((count) => count === 0)) return x;
  const shape = x.shape.map((dim, axis) =>
    before[axis] || after[axis] ? (dim as number) + before[axis]! + after[axis]! : dim,
  );
  const node = (value: Value, pads: number[], to: Shape) =>
    value.graph.node('Pad', [value, value.graph.integers(pads), value.graph.constant(fill)], {
      dtype: value.dtype,
      shape: to,
    });
  const opposite = (counts: readonly number[]) => counts.map((count) => 0 - count);
  return differentiable([x], node(x, [...before, ...after], shape), (dy) => [
    node(dy, [...opposite(before), ...opposite(after)], x.shape),
  ]);
}

/** The sum over some axes, kept with length 1. */
export function sumOver(x: Value, axes: readonly number[]): Value {
  const y = axes.reduce((value, axis) => onnx.reduceSum(value, axis, { keepDims: true }), x);
  return differentiable([x], y, (dy) => {
    const zeros = onnx.mul(x, x.graph.constant(0));
    return [onnx.add(zeros, dy)];
  });
}
