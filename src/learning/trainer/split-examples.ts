import { permutation, randomGenerator } from '../../ml/random.ts';
import { allocate, type Tensor, tensor } from '../../ml/tensor.ts';
import type { Examples } from './training-data.ts';

/** Keeps a share of the examples apart, drawn by `seed`: the same ones in every process that is given the same.
 * @throws RangeError where either part would be empty. */
export function splitExamples(
  all: Examples,
  share: number,
  seed: number,
): { train: Examples; test: Examples } {
  const count = all.x.shape[0]!;
  const kept = Math.floor(count * (1 - share));
  if (kept === 0 || kept === count) {
    throw new RangeError(
      `spec.dataset.testSplit: Invalid value: ${share}: of ${count} examples it leaves ${kept} to train on and ` +
        `${count - kept} to test with; both must have some`,
    );
  }
  const order = permutation(count, randomGenerator(seed));
  return { train: pickExamples(all, order.subarray(0, kept)), test: pickExamples(all, order.subarray(kept)) };
}

/** The examples from one place on, at most `count` of them. */
export function takeExamples({ x, y }: Examples, from: number, count: number): Examples {
  const [total, ...shape] = x.shape;
  const end = Math.min(total!, from + count);
  const rows = ({ dtype, data }: Tensor, rest: number[]): Tensor => {
    const stride = data.length / total!;
    return { dtype, shape: [end - from, ...rest], data: data.subarray(from * stride, end * stride) };
  };
  if ('shape' in y) return { x: rows(x, shape), y: rows(y, y.shape.slice(1)) };
  return { x: rows(x, shape), y: Array.prototype.slice.call(y, from, end) };
}

/** At most `most` of the examples, from all over: data are often sorted by class. */
export function spreadExamples(all: Examples, most: number): Examples {
  const count = all.x.shape[0]!;
  if (count <= most) return all;
  return pickExamples(
    all,
    Uint32Array.from({ length: most }, (_, row) => Math.floor((row * count) / most)),
  );
}

/** Tensors [count, …] of one type and shape as one. */
export function joinExamples(parts: Tensor[]): Tensor {
  const [{ dtype, shape }] = parts as [Tensor];
  const count = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
  const data = allocate(
    dtype,
    parts.reduce((sum, part) => sum + part.data.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    // All are of one type.
    data.set(part.data as never, at);
    at += part.data.length;
  }
  return { dtype, shape: [count, ...shape.slice(1)], data };
}

/** The examples of these places, in this order. */
export function pickExamples({ x, y }: Examples, order: ArrayLike<number>): Examples {
  if ('shape' in y) return { x: pickRows(x, order), y: pickRows(y, order) };
  return { x: pickRows(x, order), y: Int32Array.from({ length: order.length }, (_, row) => y[order[row]!]!) };
}

function pickRows({ data, shape: [count, ...shape] }: Tensor, order: ArrayLike<number>): Tensor {
  const stride = data.length / count!;
  // Every array of numbers has `slice` and `set` of its own kind.
  const picked = data.slice(0, order.length * stride);
  for (let row = 0; row < order.length; row += 1) {
    const from = order[row]! * stride;
    picked.set(data.subarray(from, from + stride) as never, row * stride);
  }
  return tensor(picked, [order.length, ...shape]);
}
