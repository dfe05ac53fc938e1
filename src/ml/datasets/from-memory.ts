import { ShapeError } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { Dataset } from './dataset.ts';
import type { Example } from './example.ts';

/** The examples of arrays: x [count, ...] and a class number or a row of values [count, outputs] for each. */
export function fromTensors(
  x: Tensor,
  y?: ArrayLike<number> | Tensor,
  { sampleWeight }: { sampleWeight?: ArrayLike<number> } = {},
): Dataset<Example> {
  const [count, ...shape] = x.shape;
  const stride = x.data.length / count!;
  const rows = y && 'shape' in y ? y : undefined;
  const labels = y && !('shape' in y) ? y : undefined;
  const given = rows?.shape[0] ?? labels?.length ?? count;
  if (given !== count) throw new ShapeError(`fromTensors got ${count} examples but ${given} targets`);
  const width = rows ? rows.data.length / count! : 0;
  function* examples(): Generator<Example> {
    for (let row = 0; row < count!; row += 1) {
      const data = x.data.subarray(row * stride, (row + 1) * stride);
      yield {
        x: { dtype: x.dtype, shape, data },
        y: rows
          ? Float32Array.from(rows.data.subarray(row * width, (row + 1) * width), Number)
          : labels?.[row],
        ...(sampleWeight && { weight: sampleWeight[row]! }),
      };
    }
  }
  return new Dataset(examples, { examples: count });
}

/** Anything that can be gone through more than once: a function that opens a pass. */
export const fromIterable = <T>(
  open: (epoch: number) => AsyncIterable<T> | Iterable<T>,
  { examples }: { examples?: number } = {},
): Dataset<T> => new Dataset(open, { examples });
