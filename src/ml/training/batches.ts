import { allocate, type Tensor, tensor } from '../tensor.ts';
import type { Batch, Examples } from './engine.ts';

/** Cuts examples into batches, in the given order; the last may be smaller. The same memory serves every batch,
 * so a batch is valid until the next is asked for. */
export function* batches(
  { x, y, sampleWeights }: Examples,
  batchSize: number,
  { order, fromBatch = 0 }: { order?: Uint32Array | undefined; fromBatch?: number } = {},
): Generator<Batch> {
  const count = x.shape[0]!;
  const stride = x.data.length / count;
  const width = y.length / count;
  const images = allocate(x.dtype, batchSize * stride);
  const isClasses = y instanceof Int32Array;
  const targets = isClasses ? new Int32Array(batchSize) : new Float32Array(batchSize * width);
  const weightWidth = sampleWeights ? sampleWeights.length / count : 0;
  const weights = sampleWeights && new Float32Array(batchSize * weightWidth);
  for (let start = fromBatch * batchSize; start < count; start += batchSize) {
    const size = Math.min(batchSize, count - start);
    for (let row = 0; row < size; row += 1) {
      const index = order ? order[start + row]! : start + row;
      targets.set(y.subarray(index * width, (index + 1) * width), row * width);
      // Both arrays were made for `x.dtype`, so they are of one kind.
      images.set(x.data.subarray(index * stride, (index + 1) * stride) as never, row * stride);
      if (weights)
        weights.set(
          sampleWeights.subarray(index * weightWidth, (index + 1) * weightWidth),
          row * weightWidth,
        );
    }
    yield {
      x: { dtype: x.dtype, shape: [size, ...x.shape.slice(1)], data: images.subarray(0, size * stride) },
      y: tensor(targets.subarray(0, size * width), isClasses ? [size] : [size, width]),
      ...(weights && {
        sampleWeights: tensor(
          weights.subarray(0, size * weightWidth),
          weightWidth === 1 ? [size] : [size, weightWidth],
        ),
      }),
    };
  }
}

/** The same for inputs alone. */
export function* inputBatches(x: Tensor, batchSize: number): Generator<Tensor> {
  for (const batch of batches({ x, y: new Int32Array(x.shape[0]!) }, batchSize)) yield batch.x;
}

/** What a step takes where no weights are given: every example of x counts 1. */
export const equalWeights = (x: Tensor): Tensor =>
  tensor(new Float32Array(x.shape[0]!).fill(1), [x.shape[0]!]);
