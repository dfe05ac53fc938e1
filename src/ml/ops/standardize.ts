import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x less its mean and over its standard deviation along one axis; `epsilon` is added to the variance, which is
 * that of the examples at hand (divided by their count). */
export function standardize(
  x: Value,
  axis: number,
  epsilon: number,
): { y: Value; mean: Value; variance: Value } {
  const average = (value: Value) => meanAlong(value, axis);
  const mean = average(x);
  const centred = onnx.sub(x, mean);
  const variance = average(onnx.mul(centred, centred));
  const deviation = onnx.sqrt(onnx.add(variance, x.graph.constant(epsilon)));
  const y = onnx.div(centred, deviation);
  // The mean and the variance move with x too (Ioffe and Szegedy, 2015, section 3).
  differentiable([x], y, (dy) => {
    const along = onnx.mul(y, average(onnx.mul(dy, y)));
    return [onnx.div(onnx.sub(onnx.sub(dy, average(dy)), along), deviation)];
  });
  return { y, mean, variance };
}

/** The mean along an axis, which is kept with length 1. The batch's length is known only at run time. */
function meanAlong(x: Value, axis: number): Value {
  const length = x.shape[axis];
  const total = onnx.reduceSum(x, axis, { keepDims: true });
  if (typeof length === 'number') return onnx.mul(total, x.graph.constant(1 / length));
  return onnx.div(total, onnx.batchSize(x));
}
