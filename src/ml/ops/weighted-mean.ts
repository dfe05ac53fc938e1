import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** The mean over the batch of one number an example, each [N] times its weight [N]; it is divided by N whatever the
 * weights are, as Keras does. */
export function meanOfExamples(each: Value, weights?: Value): Value {
  return onnx.div(onnx.reduceSum(weights ? onnx.mul(each, weights) : each, 0), onnx.batchSize(each));
}

/** The gradient of that mean by the examples' numbers, [N, 1] or a scalar: what their own slopes are multiplied by. */
export function shareOfExamples(dy: Value, x: Value, weights?: Value): Value {
  const share = onnx.div(dy, onnx.batchSize(x));
  return weights ? onnx.mul(onnx.reshape(weights, ['N', 1]), share) : share;
}
