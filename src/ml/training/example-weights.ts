import type { Examples } from './engine.ts';

/** The weight of each example by its class: its class number, or the largest of its targets. */
export function classWeights({ x, y }: Examples, weights: Readonly<Record<number, number>>): Float32Array {
  const count = x.shape[0]!;
  const width = y.length / count;
  return Float32Array.from({ length: count }, (_, row) => {
    if (width === 1) return weights[y[row]!] ?? 1;
    const targets = y.subarray(row * width, (row + 1) * width);
    return weights[targets.indexOf(Math.max(...targets))] ?? 1;
  });
}

/** Examples with weights, of samples or of classes.
 * @throws RangeError where the weights do not fit the examples. */
export function weighExamples(
  examples: Examples,
  {
    sampleWeight,
    classWeight,
  }: {
    sampleWeight?: ArrayLike<number> | undefined;
    classWeight?: Readonly<Record<number, number>> | undefined;
  },
  method: string,
): Examples {
  if (sampleWeight && classWeight)
    throw new RangeError(`${method} takes sampleWeight or classWeight, not both: multiply them yourself`);
  if (classWeight) return { ...examples, sampleWeights: classWeights(examples, classWeight) };
  if (!sampleWeight) return examples;
  const count = examples.x.shape[0]!;
  if (sampleWeight.length !== count)
    throw new RangeError(`${method} got ${count} examples but ${sampleWeight.length} sample weights`);
  return { ...examples, sampleWeights: Float32Array.from(sampleWeight) };
}
