import type { Batch, BatchSource, DType, Tensor } from '../../ml/index.ts';
import type { Examples, TrainingData } from './training-data.ts';

/** The data with inputs of the type that the model takes: pixels as numbers where it asks for numbers. */
export function convertTo(dtype: DType, data: TrainingData): TrainingData {
  return { ...data, train: converted(data.train, dtype), test: converted(data.test, dtype) };
}

function converted(examples: Examples | BatchSource, dtype: DType): Examples | BatchSource {
  if (!('batches' in examples)) return { ...examples, x: inputs(examples.x, dtype) };
  return {
    async *batches(pass) {
      for await (const batch of examples.batches(pass))
        yield { ...batch, x: inputs(batch.x, dtype) } as Batch;
    },
    ...('examples' in examples && { examples: examples.examples }),
  };
}

/** Only towards float32 nothing is lost; anything else the model refuses in words of its own. */
function inputs(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype || dtype !== 'float32') return x;
  return { dtype, shape: x.shape, data: Float32Array.from(x.data as Uint8Array) };
}
