import type { Tensor } from '../tensor.ts';
import type { Examples } from './engine.ts';

/** Keeps the last share of the examples for validation, before any shuffling, as Keras' validation_split.
 * @throws RangeError where either part would be empty. */
export function splitExamples(
  { x, y, sampleWeights }: Examples,
  share: number,
): [training: Examples, validation: Examples] {
  const count = x.shape[0]!;
  const at = Math.floor(count * (1 - share));
  const width = y.length / count;
  const weights = sampleWeights ? sampleWeights.length / count : 0;
  if (!(share > 0 && share < 1) || at === 0 || at === count) {
    throw new RangeError(
      `validationSplit ${share} of ${count} examples leaves a part empty: it must be between 0 and 1, ` +
        'with examples on both sides',
    );
  }
  return [
    {
      x: rows(x, 0, at),
      y: y.subarray(0, at * width),
      sampleWeights: sampleWeights?.subarray(0, at * weights),
    },
    {
      x: rows(x, at, count),
      y: y.subarray(at * width),
      sampleWeights: sampleWeights?.subarray(at * weights),
    },
  ];
}

function rows({ dtype, shape: [count, ...shape], data }: Tensor, start: number, end: number): Tensor {
  const stride = data.length / count!;
  return { dtype, shape: [end - start, ...shape], data: data.subarray(start * stride, end * stride) };
}
