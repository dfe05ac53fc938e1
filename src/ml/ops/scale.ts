import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x * scale + offset, with x of any number type. */
export function scale(x: Value, factor: number, offset: number): Value {
  const { graph } = x;
  const scaled = onnx.mul(onnx.cast(x, graph.float), graph.constant(factor));
  const y = offset === 0 ? scaled : onnx.add(scaled, graph.constant(offset));
  return differentiable([x], y, (dy) => [onnx.mul(dy, graph.constant(factor))]);
}
