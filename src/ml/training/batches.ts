import { allocate, type Tensor } from '../tensor.ts';
import type { Examples } from './engine.ts';

export interface Batch {
  x: Tensor;
  y: Tensor;
  size: number;
}

/** Cuts examples into batches, in the given order; the last may be smaller. The same memory serves every batch,
 * so a batch is valid until the next is asked for. */
export function* batches({ x, y }: Examples, batchSize: number, order?: Uint32Array): Generator<Batch> {
  const stride = x.data.length / y.length;
  const images = allocate(x.dtype, batchSize * stride);
  const labels = new Int32Array(batchSize);
  for (let start = 0; start < y.length; start += batchSize) {
    const size = Math.min(batchSize, y.length - start);
    for (let row = 0; row < size; row += 1) {
      const index = order ? order[start + row]! : start + row;
      labels[row] = y[index]!;
      // Both arrays were made for `x.dtype`, so they are of one kind.
      images.set(x.data.subarray(index * stride, (index + 1) * stride) as never, row * stride);
    }
    yield {
      x: { dtype: x.dtype, shape: [size, ...x.shape.slice(1)], data: images.subarray(0, size * stride) },
      y: { dtype: 'int32', shape: [size], data: labels.subarray(0, size) },
      size,
    };
  }
}
