import { StatusError } from '../../base/errors.ts';
import type { PostprocessStep } from '../../ml/export/steps.ts';
import type { Tensor } from '../datatype.ts';
import type { TensorMetadata } from '../inference-protocol.ts';

type Outputs = Record<string, Tensor>;

/** The outputs that the steps add to the model's own. */
export function addedOutputs(steps: PostprocessStep[], outputs: TensorMetadata[]): TensorMetadata[] {
  const first = outputs[0];
  if (!first || steps.length === 0) return [];
  const rows = first.shape[0] ?? -1;
  return steps.flatMap((step): TensorMetadata[] => {
    if (step.op === 'softmax') return [{ name: 'probabilities', datatype: 'FP32', shape: first.shape }];
    const k = topOf(steps, first.shape.at(-1) ?? -1);
    if (step.op === 'labels') return [{ name: 'labels', datatype: 'BYTES', shape: [rows, k] }];
    return [
      { name: 'scores', datatype: 'FP32', shape: [rows, k] },
      { name: 'classes', datatype: 'INT64', shape: [rows, k] },
    ];
  });
}

function topOf(steps: PostprocessStep[], classes: number): number {
  const step = steps.find(({ op }) => op === 'topK') as { k: number } | undefined;
  const k = step?.k ?? 1;
  return classes > 0 ? Math.min(k, classes) : k;
}

/** The model's outputs with those that the steps make of the first, [rows, classes]. Throws BadRequest. */
export function postprocess(
  outputs: Outputs,
  steps: PostprocessStep[],
  labels: string[] | undefined,
): Outputs {
  if (steps.length === 0) return outputs;
  const first = Object.values(outputs)[0]!;
  const classes = first.shape.at(-1) ?? 1;
  const rows = first.data.length / classes;
  const added: Outputs = {};
  let values = Float32Array.from(first.data as Float32Array, Number);
  if (steps.some(({ op }) => op === 'softmax')) {
    values = softmax(values, classes);
    added.probabilities = { datatype: 'FP32', shape: first.shape, data: values };
  }
  if (steps.some(({ op }) => op !== 'softmax')) {
    const k = topOf(steps, classes);
    const order = Array.from({ length: rows }, (_, row) => highest(values, row * classes, classes, k)).flat();
    if (steps.some(({ op }) => op === 'topK')) {
      const scores = Float32Array.from(order, (index, i) => values[Math.floor(i / k) * classes + index]!);
      added.scores = { datatype: 'FP32', shape: [rows, k], data: scores };
      added.classes = { datatype: 'INT64', shape: [rows, k], data: BigInt64Array.from(order, BigInt) };
    }
    if (steps.some(({ op }) => op === 'labels')) {
      if (!labels) throw new StatusError('InternalError', 'the model has a labels step, but no labels');
      const names = order.map((index) => labels[index] ?? String(index));
      added.labels = { datatype: 'BYTES', shape: [rows, k], data: names };
    }
  }
  return { ...outputs, ...added };
}

/** Over the last axis, of so many classes. */
export function softmax(values: Float32Array, classes: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let from = 0; from < values.length; from += classes) {
    const to = from + classes;
    let top = Number.NEGATIVE_INFINITY;
    for (let i = from; i < to; i++) top = Math.max(top, values[i]!);
    let sum = 0;
    for (let i = from; i < to; i++) sum += result[i] = Math.exp(values[i]! - top);
    for (let i = from; i < to; i++) result[i]! /= sum;
  }
  return result;
}

/** Indices of the k highest, highest first; of equals the first. NaN comes last. */
function highest(values: Float32Array, from: number, classes: number, k: number): number[] {
  const rank = (index: number) => {
    const value = values[from + index]!;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  const indices = Array.from({ length: classes }, (_, i) => i);
  return indices.sort((a, b) => (rank(b) > rank(a) ? 1 : rank(b) < rank(a) ? -1 : a - b)).slice(0, k);
}
