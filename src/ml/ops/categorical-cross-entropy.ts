import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { meanOfExamples, shareOfExamples } from './weighted-mean.ts';

/** Keras' backend epsilon: probabilities are kept this far from 0 and 1 before the logarithm. */
const epsilon = 1e-7;

/** The mean over the batch of -sum(target * log softmax(logits)); both are [N, classes]. */
export function categoricalCrossEntropyFromLogits(logits: Value, target: Value, weights?: Value): Value {
  const logProbabilities = onnx.logSoftmax(logits);
  return differentiable([logits], meanOver(logProbabilities, target, weights), (dy) => {
    const total = onnx.reduceSum(target, 1, { keepDims: true });
    const slope = onnx.sub(onnx.mul(onnx.exp(logProbabilities), total), target);
    return [onnx.mul(slope, shareOfExamples(dy, logits, weights))];
  });
}

/** The same from numbers above 0, which are divided by their sum first, as Keras does. */
export function categoricalCrossEntropyFromProbabilities(
  probabilities: Value,
  target: Value,
  weights?: Value,
): Value {
  const { graph } = probabilities;
  const total = onnx.reduceSum(probabilities, 1, { keepDims: true });
  const shares = onnx.div(probabilities, total);
  const clipped = onnx.min(onnx.max(shares, graph.constant(epsilon)), graph.constant(1 - epsilon));
  return differentiable([probabilities], meanOver(onnx.log(clipped), target, weights), (dy) => {
    const isInside = onnx.mask(onnx.equal(clipped, shares));
    const slope = onnx.neg(onnx.div(onnx.mul(target, isInside), clipped));
    const along = onnx.reduceSum(onnx.mul(slope, shares), 1, { keepDims: true });
    const gradient = onnx.div(onnx.sub(slope, along), total);
    return [onnx.mul(gradient, shareOfExamples(dy, probabilities, weights))];
  });
}

function meanOver(logProbabilities: Value, target: Value, weights: Value | undefined): Value {
  const each = onnx.reduceSum(onnx.mul(logProbabilities, target), 1);
  return onnx.neg(meanOfExamples(each, weights));
}
