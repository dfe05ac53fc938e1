import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

export interface Rectifier {
  maxValue: number;
  negativeSlope: number;
  threshold: number;
}

/** x from `threshold` on, at most `maxValue`, and `negativeSlope * (x - threshold)` below. */
export function clippedRelu(x: Value, { maxValue, negativeSlope, threshold }: Rectifier): Value {
  const { graph } = x;
  const border = graph.constant(threshold);
  const isAbove = onnx.mask(onnx.greaterOrEqual(x, border));
  const capped = Number.isFinite(maxValue) ? onnx.min(x, graph.constant(maxValue)) : x;
  const upper = onnx.mul(capped, isAbove);
  const slope = graph.constant(negativeSlope);
  const below = onnx.mul(onnx.min(onnx.sub(x, border), graph.constant(0)), slope);
  const y = negativeSlope === 0 ? upper : onnx.add(upper, below);
  return differentiable([x], y, (dy) => {
    const isBelow = onnx.sub(graph.constant(1), isAbove);
    const rises = Number.isFinite(maxValue)
      ? onnx.mul(isAbove, onnx.mask(onnx.greater(graph.constant(maxValue), x)))
      : isAbove;
    return [onnx.mul(dy, onnx.add(rises, onnx.mul(isBelow, slope)))];
  });
}

/** x where it is negative, else 0. */
export function negativePart(x: Value): Value {
  const zero = x.graph.constant(0);
  return differentiable([x], onnx.min(x, zero), (dy) => [onnx.mul(dy, onnx.mask(onnx.greater(zero, x)))]);
}
