import type { Architecture } from '../architecture.ts';
import type { Each } from '../by-name.ts';
import { checkExamples, checkInput } from '../check-examples.ts';
import type { Term } from '../losses/objective.ts';
import { packInputs } from '../packed-inputs.ts';
import type { Tensor } from '../tensor.ts';
import type { Batch, BatchSource, NamedBatch } from './engine.ts';
import { weighExamples } from './example-weights.ts';

/** Checks every batch of a data set as `fit` checks arrays, and weighs its examples by class. What is wrong with one
 * names the batch. */
export function checkedSource(
  model: Architecture,
  source: BatchSource<NamedBatch>,
  terms: readonly Term[],
  method: string,
  classWeight?: Readonly<Record<number, number>>,
): BatchSource {
  return changed(source, (batch, index) => {
    const where = `${method}, batch ${index} of the data set,`;
    if (!batch.y) throw new Error(`${where} got no targets`);
    if (classWeight && batch.sampleWeights)
      throw new Error(`${where} has sample weights: give no classWeight`);
    const input = packInputs(model, batch.x, where);
    const checked = checkExamples(model, input, batch.y, terms, where);
    const sampleWeight = batch.sampleWeights && numbersOf(batch.sampleWeights);
    const { x, y, sampleWeights } = weighExamples(checked, { sampleWeight, classWeight }, terms, where);
    const count = x.shape[0]!;
    const shapeOf = ({ length }: { length: number }) =>
      length === count ? [count] : [count, length / count];
    return {
      x,
      y:
        y instanceof Int32Array
          ? { dtype: 'int32', shape: [count], data: y }
          : { dtype: 'float32', shape: [count, y.length / count], data: y },
      ...(sampleWeights && {
        sampleWeights: { dtype: 'float32', shape: shapeOf(sampleWeights), data: sampleWeights },
      }),
    };
  });
}

/** The inputs of a data set's batches, checked. */
export function checkedInputs(
  model: Architecture,
  source: BatchSource<NamedBatch>,
  method: string,
): BatchSource {
  return changed(source, ({ x, y }, index) => {
    const packed = packInputs(model, x, `${method}, batch ${index} of the data set,`);
    checkInput(model, packed, method);
    // Nobody asks a prediction's targets.
    return { x: packed, y: y as Tensor };
  });
}

function changed(
  source: BatchSource<NamedBatch>,
  change: (batch: NamedBatch, index: number) => Batch,
): BatchSource {
  return {
    async *batches(pass) {
      let index = pass.fromBatch;
      for await (const batch of source.batches(pass)) {
        yield change(batch, index);
        index += 1;
      }
    },
  };
}

/** Weights are float32. */
const dataOf = ({ data }: Tensor) => data as Float32Array;

function numbersOf(weights: Tensor | Each<Tensor>): ArrayLike<number> | Each<ArrayLike<number>> {
  if (Array.isArray((weights as Tensor).shape)) return dataOf(weights as Tensor);
  if (Array.isArray(weights)) return weights.map(dataOf);
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, dataOf(weight)]));
}
