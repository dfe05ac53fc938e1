import { ShapeError } from '../shape.ts';
import { allocate, bytesPerElement, type Tensor, tensor } from '../tensor.ts';
import type { Batch, NamedBatch } from '../training/engine.ts';

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

/** One example for a model of several inputs or outputs, by their names. */
export interface NamedExample {
  x: Tensor | Readonly<Record<string, Tensor>>;
  y?: Example['y'] | Readonly<Record<string, number | Float32Array>>;
  weight?: number | undefined;
  source?: string | undefined;
}

/** One batch of examples by names.
 * @throws ShapeError that names the example that differs. */
export function collateNamed(examples: NamedExample[]): NamedBatch {
  const [{ x, y }] = examples as [NamedExample];
  const inputs = isTensor(x) ? undefined : Object.keys(x);
  const outputs = typeof y === 'object' && !(y instanceof Float32Array) ? Object.keys(y) : undefined;
  if (!inputs && !outputs) return collate(examples as Example[]);
  const batchOf = (input: string | undefined, output: string | undefined): Batch =>
    collate(examples.map((example) => single(example, input, output)));
  const anyInput = inputs?.[0];
  const first = batchOf(anyInput, outputs?.[0]);
  const byName = <T>(names: string[], make: (name: string) => T): Record<string, T> =>
    Object.fromEntries(names.map((name) => [name, make(name)]));
  return {
    x: inputs ? byName(inputs, (name) => batchOf(name, outputs?.[0]).x) : first.x,
    y: outputs ? byName(outputs, (name) => batchOf(anyInput, name).y) : first.y,
    ...(first.sampleWeights && { sampleWeights: first.sampleWeights }),
  };
}

function single(
  { x, y, ...rest }: NamedExample,
  input: string | undefined,
  output: string | undefined,
): Example {
  const { source = 'an example' } = rest;
  // Of what has names, `collateNamed` asks by name.
  const ownX = input === undefined ? (x as Tensor) : (x as Readonly<Record<string, Tensor>>)[input];
  const ownY = output === undefined ? (y as Example['y']) : (y as Readonly<Record<string, number>>)[output];
  if (!ownX) throw new ShapeError(`${source} has no input "${input}", which the batch began with`);
  if (output !== undefined && ownY === undefined)
    throw new ShapeError(`${source} has no target "${output}", which the batch began with`);
  return { ...rest, x: ownX, y: ownY };
}

const isTensor = (x: NamedExample['x']): x is Tensor => Array.isArray((x as Tensor).shape);

/** One batch of examples of one shape.
 * @throws ShapeError that names the example that differs. */
export function collate(examples: Example[]): Batch {
  const [{ x: first, y: target }] = examples as [Example];
  const stride = first.data.length;
  const data = allocate(first.dtype, examples.length * stride);
  const width = typeof target === 'object' ? target.length : 0;
  const isLabelled = target !== undefined;
  const size = width > 0 ? examples.length * width : isLabelled ? examples.length : 0;
  // Numbers are of classes only where all of them are whole.
  const areClasses = examples.every((example) => example.y === undefined || Number.isInteger(example.y));
  const y = areClasses ? new Int32Array(size) : new Float32Array(size);
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
  const of = (part: unknown): number => {
    if (part instanceof Float32Array) return part.byteLength;
    if (typeof part !== 'object' || part === null) return 0;
    const { data, dtype } = part as Partial<Tensor>;
    if (data && dtype) return data.length * bytesPerElement[dtype];
    return Object.values(part).reduce<number>((sum, each) => sum + of(each), 0);
  };
  return of(x) + of(y);
}
