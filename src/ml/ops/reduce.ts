import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** The sum along one axis, which goes away. */
export function reduceSum(x: Value, axis: number): Value {
  return differentiable([x], onnx.reduceSum(x, axis), (dy) => {
    const kept = onnx.reshape(dy, x.shape.with(axis, 1));
    const ones = x.graph.constant(
      new Array<number>(x.shape[axis] as number).fill(1),
      x.shape.map((dim, index) => (index === axis ? (dim as number) : 1)),
    );
    return [onnx.mul(kept, ones)];
  });
}
