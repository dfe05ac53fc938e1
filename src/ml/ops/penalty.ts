import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** l1 * sum |x| + l2 * sum x², a scalar. The first term's slope is 0 at 0. */
export function penalty(x: Value, { l1, l2 }: { l1: number; l2: number }): Value {
  const { graph } = x;
  const weigh = (each: Value, weight: number) => onnx.mul(each, graph.constant(weight));
  const terms = [
    ...(l1 === 0 ? [] : [weigh(onnx.abs(x), l1)]),
    ...(l2 === 0 ? [] : [weigh(onnx.mul(x, x), l2)]),
  ];
  if (terms.length === 0) return graph.constant(0);
  let total = onnx.sum(terms);
  while (total.shape.length > 0) total = onnx.reduceSum(total, 0);
  return differentiable([x], total, (dy) => {
    const slopes = [...(l1 === 0 ? [] : [weigh(onnx.sign(x), l1)]), ...(l2 === 0 ? [] : [weigh(x, 2 * l2)])];
    return [onnx.mul(onnx.sum(slopes), dy)];
  });
}
