import type { DType } from '../tensor.ts';

/** What a model takes: the shape of one example and its element type. */
export interface Input {
  readonly type: 'InputLayer';
  readonly shape: number[];
  readonly dtype: DType;
}

/** Declares a model's input, as Keras' Input. `uint8` images are cast inside the graph. */
export function input(shape: number[], { dtype = 'float32' }: { dtype?: 'float32' | 'uint8' } = {}): Input {
  if (shape.length === 0 || shape.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new RangeError(`input([${shape.join(', ')}]): each dimension must be a whole number above 0`);
  }
  return { type: 'InputLayer', shape, dtype };
}
