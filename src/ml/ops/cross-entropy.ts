import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { meanOfExamples, shareOfExamples } from './weighted-mean.ts';

/** Keras' backend epsilon: probabilities are kept this far from 0 and 1 before the logarithm. */
const epsilon = 1e-7;

/** The mean over the batch of -log softmax(logits [N, C])[label], a scalar; labels are int64 [N]. */
export function crossEntropyFromLogits(logits: Value, labels: Value, weights?: Value): Value {
  const target = oneHot(labels, logits);
  const logProbabilities = onnx.logSoftmax(logits);
  return differentiable([logits], meanOfTargets(logProbabilities, target, weights), (dy) => {
    const difference = onnx.sub(onnx.exp(logProbabilities), target);
    return [onnx.mul(difference, shareOfExamples(dy, logits, weights))];
  });
}

/** The mean over the batch of -log probabilities [N, C] at the label, a scalar; labels are int64 [N]. */
export function crossEntropyFromProbabilities(probabilities: Value, labels: Value, weights?: Value): Value {
  const { graph } = probabilities;
  const target = oneHot(labels, probabilities);
  const [low, high] = [graph.constant(epsilon), graph.constant(1 - epsilon)];
  const clipped = onnx.min(onnx.max(probabilities, low), high);
  return differentiable([probabilities], meanOfTargets(onnx.log(clipped), target, weights), (dy) => {
    const isInside = onnx.mask(onnx.equal(clipped, probabilities));
    const slope = onnx.neg(onnx.div(onnx.mul(target, isInside), clipped));
    return [onnx.mul(slope, shareOfExamples(dy, probabilities, weights))];
  });
}

/** labels [N] as 0 or 1 in [N, C]. */
function oneHot(labels: Value, { graph, shape }: Value): Value {
  const classes = shape[1] as number;
  const names = graph.integers(Array.from({ length: classes }, (_, index) => index));
  return onnx.mask(onnx.equal(onnx.reshape(labels, ['N', 1]), names));
}

function meanOfTargets(logProbabilities: Value, target: Value, weights: Value | undefined): Value {
  const each = onnx.reduceSum(onnx.mul(logProbabilities, target), 1);
  return onnx.neg(meanOfExamples(each, weights));
}
