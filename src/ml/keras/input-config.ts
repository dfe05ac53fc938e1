import { type Input, input } from '../layers/input.ts';
import type { Serialized } from './values.ts';

const dtypes = ['float32', 'uint8', 'int32'] as const;

/** Keras 3 writes `batch_shape`, Keras 2 `batch_input_shape`, in the first layer where no input is declared. */
export function decodeInput(config: Record<string, unknown>, name?: string): Input {
  const shape = (config.batch_shape ?? config.batch_input_shape) as (number | null)[] | undefined;
  if (!Array.isArray(shape)) {
    throw new Error(
      'The model does not say the shape of its input: build it, or add keras.Input(shape), and save again',
    );
  }
  const [, ...dims] = shape;
  if (dims.some((dim) => typeof dim !== 'number')) {
    throw new Error(`The input's shape [${shape.join(', ')}] is open: only the batch dimension may be`);
  }
  const dtype = dtypes.find((known) => known === config.dtype) ?? 'float32';
  return input(dims as number[], { dtype, ...(name !== undefined && { name }) });
}

export const encodeInput = ({ shape, dtype }: Input, name: string): Serialized => ({
  module: 'keras.layers',
  class_name: 'InputLayer',
  config: { batch_shape: [null, ...shape], dtype, name },
  registered_name: null,
});
