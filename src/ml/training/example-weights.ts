import { type Each, eachOf } from '../by-name.ts';
import type { Term } from '../losses/objective.ts';
import type { Examples } from './engine.ts';

/** A number for each example; of several outputs, also for each of them. */
export type SampleWeights = ArrayLike<number> | Each<ArrayLike<number>>;

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
    sampleWeight?: SampleWeights | undefined;
    classWeight?: Readonly<Record<number, number>> | undefined;
  },
  terms: readonly Term[],
  method: string,
): Examples {
  if (sampleWeight && classWeight)
    throw new RangeError(`${method} takes sampleWeight or classWeight, not both: multiply them yourself`);
  if (classWeight && terms.length > 1)
    throw new RangeError(`${method} takes classWeight for a single output: give sampleWeight by output`);
  if (classWeight) return { ...examples, sampleWeights: classWeights(examples, classWeight) };
  if (!sampleWeight && terms.length === 1) return examples;
  const count = examples.x.shape[0]!;
  const names = terms.map(({ name }) => name);
  const each =
    sampleWeight && isEach(sampleWeight)
      ? eachOf(names, sampleWeight, `${method} (sampleWeight)`)
      : names.map(() => sampleWeight);
  const sampleWeights = new Float32Array(count * terms.length).fill(1);
  each.forEach((weights, index) => {
    if (!weights) return;
    if (weights.length !== count)
      throw new RangeError(`${method} got ${count} examples but ${weights.length} sample weights`);
    for (let row = 0; row < count; row += 1) sampleWeights[row * terms.length + index] = weights[row]!;
  });
  return { ...examples, sampleWeights };
}

function isEach(weights: SampleWeights): weights is Each<ArrayLike<number>> {
  if (ArrayBuffer.isView(weights)) return false;
  if (Array.isArray(weights)) return typeof weights[0] === 'object';
  return typeof (weights as ArrayLike<number>).length !== 'number';
}
