/** The element types that a model takes. */
export type InputDType = 'float32' | 'uint8' | 'int32';

/** What a model takes: the shape of one example and its element type. A symbolic tensor that layers apply to. */
export interface Input {
  readonly type: 'InputLayer';
  readonly name: string | undefined;
  readonly shape: number[];
  readonly dtype: InputDType;
}

export interface InputOptions {
  dtype?: InputDType;
  name?: string;
}

/** Declares a model's input, as Keras' Input. `uint8` images are cast inside the graph; `int32` is for embedding(). */
export function input(shape: number[], { dtype = 'float32', name }: InputOptions = {}): Input {
  if (shape.length === 0 || shape.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new RangeError(`input([${shape.join(', ')}]): each dimension must be a whole number above 0`);
  }
  return { type: 'InputLayer', name, shape, dtype };
}
