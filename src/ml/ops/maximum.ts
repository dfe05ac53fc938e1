import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** The maximum of equally shaped values, and how a gradient is dealt out to them. On a tie the first gets all
 * of it: equality masks would count it once for each of the tied (as on flat image regions). */
export function maximum(values: Value[]): { max: Value; split: (gradient: Value) => Value[] } {
  if (values.length === 1) return { max: values[0]!, split: (gradient) => [gradient] };
  const half = Math.ceil(values.length / 2);
  const left = maximum(values.slice(0, half));
  const right = maximum(values.slice(half));
  return {
    max: onnx.max(left.max, right.max),
    split(gradient) {
      const toLeft = onnx.mul(gradient, onnx.mask(onnx.greaterOrEqual(left.max, right.max)));
      return [...left.split(toLeft), ...right.split(onnx.sub(gradient, toLeft))];
    },
  };
}
