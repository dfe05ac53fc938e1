import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { meanOfExamples, shareOfExamples } from './weighted-mean.ts';

/** Keras' backend epsilon: probabilities are kept this far from 0 and 1 before the logarithm. */
const epsilon = 1e-7;

/** The mean of (predicted - target)² over all of [N, K]. */
export function meanSquaredError(predicted: Value, target: Value, weights?: Value): Value {
  const difference = onnx.sub(predicted, target);
  const twice = onnx.add(difference, difference);
  return meanLoss(predicted, onnx.mul(difference, difference), twice, weights);
}

/** The mean of |predicted - target| over all of [N, K]; the gradient is 0 where they are equal. */
export function meanAbsoluteError(predicted: Value, target: Value, weights?: Value): Value {
  const sign = onnx.sub(
    onnx.mask(onnx.greater(predicted, target)),
    onnx.mask(onnx.greater(target, predicted)),
  );
  return meanLoss(predicted, onnx.abs(onnx.sub(predicted, target)), sign, weights);
}

/** Quadratic up to `delta`, linear beyond (Huber, 1964), as a mean over all of [N, K]. */
export function huber(predicted: Value, target: Value, delta: number, weights?: Value): Value {
  const { graph } = predicted;
  const difference = onnx.sub(predicted, target);
  const clipped = onnx.min(onnx.max(difference, graph.constant(-delta)), graph.constant(delta));
  const each = onnx.mul(clipped, onnx.sub(difference, onnx.mul(clipped, graph.constant(0.5))));
  return meanLoss(predicted, each, clipped, weights);
}

/** The mean over all of [N, K] of the cross-entropy of sigmoid(logits) against targets from 0 to 1. */
export function binaryCrossEntropyFromLogits(logits: Value, target: Value, weights?: Value): Value {
  const one = logits.graph.constant(1);
  const tail = onnx.log(onnx.add(onnx.exp(onnx.neg(onnx.abs(logits))), one));
  const each = onnx.sub(onnx.add(onnx.relu(logits), tail), onnx.mul(logits, target));
  return meanLoss(logits, each, onnx.sub(onnx.sigmoid(logits), target), weights);
}

/** The same from probabilities. */
export function binaryCrossEntropyFromProbabilities(
  probabilities: Value,
  target: Value,
  weights?: Value,
): Value {
  const { graph } = probabilities;
  const one = graph.constant(1);
  const clipped = onnx.min(onnx.max(probabilities, graph.constant(epsilon)), graph.constant(1 - epsilon));
  const rest = onnx.sub(one, clipped);
  const hit = onnx.mul(target, onnx.log(clipped));
  const miss = onnx.mul(onnx.sub(one, target), onnx.log(rest));
  const isInside = onnx.mask(onnx.equal(clipped, probabilities));
  const slope = onnx.div(onnx.mul(onnx.sub(clipped, target), isInside), onnx.mul(clipped, rest));
  return meanLoss(probabilities, onnx.neg(onnx.add(hit, miss)), slope, weights);
}

/** The mean of `each` over all of [N, K], whose derivatives by the elements of x are `slope`. */
function meanLoss(x: Value, each: Value, slope: Value, weights: Value | undefined): Value {
  const columns = x.graph.constant(x.shape[1] as number);
  const mean = meanOfExamples(onnx.div(onnx.reduceSum(each, 1), columns), weights);
  return differentiable([x], mean, (dy) => [
    onnx.mul(slope, shareOfExamples(onnx.div(dy, columns), x, weights)),
  ]);
}
