import type { Architecture } from './architecture.ts';
import { type Each, eachOf } from './by-name.ts';
import { formatShape, ShapeError, staticSize } from './shape.ts';
import { type Tensor, tensor } from './tensor.ts';

/** What a model takes: one tensor [count, ...], or one for each of its inputs, in their order or by name. */
export type Inputs = Tensor | Each<Tensor>;

/** Several inputs as one tensor [count, numbers of all inputs], which is how a training batches and shuffles them; the
 * model's graph takes it apart. Whole numbers stay exact up to 2^24.
 * @throws ShapeError that names the input that does not fit. */
export function packInputs({ inputs }: Architecture, given: Inputs, method: string): Tensor {
  if (isTensor(given)) return given;
  const names = inputs.map(({ name }) => name);
  const x = eachOf(names, given, `${method} (inputs)`, ': give a tensor(data, [count, …]) for each');
  const other = x.findIndex((each) => !isTensor(each));
  if (other >= 0)
    throw new ShapeError(`${method} (inputs): "${names[other]}" is no tensor(data, [count, …])`);
  if (x.length === 1) return x[0]!;
  const count = x[0]!.shape[0]!;
  const width = inputs.reduce((total, { input }) => total + staticSize(input.shape), 0);
  const packed = new Float32Array(count * width);
  let before = 0;
  inputs.forEach(({ name, input }, index) => {
    const { shape, dtype, data } = x[index]!;
    const expected = [count, ...input.shape];
    if (`${shape}` !== `${expected}` || dtype !== input.dtype) {
      throw new ShapeError(
        `${method} got ${dtype} ${formatShape(shape)} for "${name}", which takes ${input.dtype} ` +
          formatShape(expected),
      );
    }
    const size = staticSize(input.shape);
    for (let row = 0; row < count; row += 1) {
      // An input's element type is none of bigints.
      packed.set(data.subarray(row * size, (row + 1) * size) as Float32Array, row * width + before);
    }
    before += size;
  });
  return tensor(packed, [count, width]);
}

const isTensor = (x: Inputs): x is Tensor => Array.isArray((x as Tensor).shape);

/** The model's outputs, of which the graph of several gives one tensor [count, numbers of all outputs]. */
export function unpackOutputs({ outputs }: Architecture, { data, shape }: Tensor): Tensor[] {
  if (outputs.length === 1) return [tensor(data, shape)];
  const [count, width] = shape as [number, number];
  let before = 0;
  return outputs.map((output) => {
    const dims = output.shape.slice(1) as number[];
    const size = staticSize(dims);
    const part = new Float32Array(count * size);
    for (let row = 0; row < count; row += 1) {
      const start = row * width + before;
      part.set(data.subarray(start, start + size) as Float32Array, row * size);
    }
    before += size;
    return tensor(part, [count, ...dims]);
  });
}
