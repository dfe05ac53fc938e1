import { ShapeError } from '../shape.ts';
import { allocate, bytesPerElement, type Tensor, tensor } from '../tensor.ts';
import type { Batch } from '../training/engine.ts';

/** One example of a data set. */
export interface Example {
  /** Without a batch dimension: images are [height, width, channels]. */
  x: Tensor;
  /** A class number, or the values that the model should give. */
  y?: number | Float32Array | undefined;
  /** How much it counts in the loss; 1 where it is missing. */
  weight?: number | undefined;
  /** Where it comes from, for messages. */
  source?: string | undefined;
}

/** One batch of examples of one shape.
 * @throws ShapeError that names the example that differs. */
export function collate(examples: Example[]): Batch {
  const [{ x: first, y: target }] = examples as [Example];
  const stride = first.data.length;
  const data = allocate(first.dtype, examples.length * stride);
  const width = typeof target === 'object' ? target.length : 0;
  const isLabelled = target !== undefined;
  const y =
    width > 0 ? new Float32Array(examples.length * width) : new Int32Array(isLabelled ? examples.length : 0);
  const weights = examples.some(({ weight }) => weight !== undefined) && new Float32Array(examples.length);
  examples.forEach((example, row) => {
    requireAlike(first, example);
    // Arrays of one dtype are of one kind.
    data.set(example.x.data as never, row * stride);
    if (typeof example.y === 'object') y.set(example.y, row * width);
    else if (isLabelled) y[row] = example.y!;
    if (weights) weights[row] = example.weight ?? 1;
  });
  return {
    x: { dtype: first.dtype, shape: [examples.length, ...first.shape], data },
    y: tensor(y, width > 0 ? [examples.length, width] : [y.length]),
    ...(weights && { sampleWeights: tensor(weights, [examples.length]) }),
  };
}

function requireAlike(first: Tensor, { x, source = 'an example' }: Example): void {
  if (x.dtype === first.dtype && x.shape.join() === first.shape.join()) return;
  throw new ShapeError(
    `${source} is ${x.dtype} [${x.shape.join(', ')}], the batch began with ${first.dtype} ` +
      `[${first.shape.join(', ')}]: make all alike with map(), for images by height and width`,
  );
}

/** The size of an element's arrays. */
export function sizeInBytes(element: unknown): number {
  const { x, y } = (element ?? {}) as Partial<Example & Batch>;
  const of = (part: unknown) => {
    if (part instanceof Float32Array) return part.byteLength;
    const { data, dtype } = (part ?? {}) as Partial<Tensor>;
    return data && dtype ? data.length * bytesPerElement[dtype] : 0;
  };
  return of(x) + of(y);
}
