import type { Architecture } from '../architecture.ts';
import { checkExamples } from '../check-examples.ts';
import type { Loss } from '../losses/loss.ts';
import type { Batch, BatchSource } from './engine.ts';
import { classWeights } from './example-weights.ts';

/** Checks every batch of a data set as `fit` checks arrays, and weighs its examples by class. What is wrong with one
 * names the batch. */
export function checkedSource(
  model: Architecture,
  source: BatchSource,
  loss: Loss,
  method: string,
  classWeight?: Readonly<Record<number, number>>,
): BatchSource {
  const check = (batch: Batch, index: number): Batch => {
    const where = `${method}, batch ${index} of the data set,`;
    if (!batch.y) throw new Error(`${where} got no targets`);
    const isClasses = loss.targets === 'classes' && batch.y.shape.length === 1;
    // Class numbers are int32 or bytes, never int64.
    const targets = isClasses ? (batch.y.data as Int32Array) : batch.y;
    const { x, y } = checkExamples(model, batch.x, targets, loss, where);
    const shape = y instanceof Int32Array ? [y.length] : [x.shape[0]!, y.length / x.shape[0]!];
    const weights = classWeight
      ? { dtype: 'float32' as const, shape: [x.shape[0]!], data: classWeights({ x, y }, classWeight) }
      : batch.sampleWeights;
    if (classWeight && batch.sampleWeights)
      throw new Error(`${where} has sample weights: give no classWeight`);
    const dtype = y instanceof Int32Array ? ('int32' as const) : ('float32' as const);
    return { x, y: { dtype, shape, data: y }, ...(weights && { sampleWeights: weights }) };
  };
  return {
    async *batches(pass) {
      let index = pass.fromBatch;
      for await (const batch of source.batches(pass)) {
        yield check(batch, index);
        index += 1;
      }
    },
  };
}
