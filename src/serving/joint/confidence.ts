import type { Tensor } from '../datatype.ts';
import { softmax } from '../steps/postprocess.ts';

/** A row of probabilities sums to 1 as far as single precision goes. */
const sumTolerance = 1e-3;

/**
 * Each row's highest probability, of the first output [rows, classes]; logits go through a softmax first. `undefined` if
 * it is no classifier's.
 */
export function confidencesOf(outputs: Record<string, Tensor>): Float32Array | undefined {
  for (const name in outputs) {
    const { datatype, shape, data } = outputs[name]!;
    const classes = shape[1] ?? 0;
    if (datatype !== 'FP32' || shape.length !== 2 || classes < 2) return undefined;
    const values = data as Float32Array;
    const probabilities = isDistribution(values, classes) ? values : softmax(values, classes);
    const confidences = new Float32Array(shape[0]!);
    for (let i = 0; i < probabilities.length; i++) {
      const row = Math.floor(i / classes);
      if (probabilities[i]! > confidences[row]!) confidences[row] = probabilities[i]!;
    }
    return confidences;
  }
  return undefined;
}

function isDistribution(values: Float32Array, classes: number): boolean {
  for (let from = 0; from < values.length; from += classes) {
    let sum = 0;
    for (let i = from; i < from + classes; i++) {
      if (!(values[i]! >= 0)) return false;
      sum += values[i]!;
    }
    if (Math.abs(sum - 1) > sumTolerance) return false;
  }
  return true;
}
