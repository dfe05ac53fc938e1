import { ShapeError } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { Dataset } from './dataset.ts';
import type { Example, NamedExample } from './example.ts';

type Target = ArrayLike<number> | Tensor;
type ByName<T> = Readonly<Record<string, T>>;
interface FromTensorsOptions {
  sampleWeight?: ArrayLike<number>;
}

/** The examples of arrays: x [count, ...] and a class number or a row of values [count, outputs] for each; of several
 * inputs and outputs, such arrays by name. */
export function fromTensors(x: Tensor, y?: Target, options?: FromTensorsOptions): Dataset<Example>;
export function fromTensors(
  x: Tensor | ByName<Tensor>,
  y?: Target | ByName<Target>,
  options?: FromTensorsOptions,
): Dataset<NamedExample>;
export function fromTensors(
  x: Tensor | ByName<Tensor>,
  y?: Target | ByName<Target>,
  { sampleWeight }: FromTensorsOptions = {},
): Dataset<NamedExample> {
  const inputs = isTensor(x) ? x : Object.values(x)[0];
  if (!inputs) throw new ShapeError('fromTensors got no inputs');
  const count = inputs.shape[0]!;
  const inputAt = isTensor(x)
    ? rowsOf(x, count, 'inputs')
    : byName(x, (part, name) => rowsOf(part, count, name));
  const targetAt =
    y === undefined || isTarget(y)
      ? y && targetsOf(y, count)
      : byName(y, (part, name) => targetsOf(part, count, ` "${name}"`));
  function* examples(): Generator<NamedExample> {
    for (let row = 0; row < count; row += 1) {
      yield { x: inputAt(row), y: targetAt?.(row), ...(sampleWeight && { weight: sampleWeight[row]! }) };
    }
  }
  return new Dataset(examples, { examples: count });
}

type At<T> = (row: number) => T;

function byName<P, T>(parts: ByName<P>, of: (part: P, name: string) => At<T>): At<Record<string, T>> {
  const all = Object.entries(parts).map(([name, part]) => [name, of(part, name)] as const);
  return (row) => Object.fromEntries(all.map(([name, at]) => [name, at(row)]));
}

function rowsOf({ dtype, shape: [rows, ...shape], data }: Tensor, count: number, name: string): At<Tensor> {
  if (rows !== count) throw new ShapeError(`fromTensors got ${count} examples but ${rows} of "${name}"`);
  const stride = data.length / count;
  return (row) => ({ dtype, shape, data: data.subarray(row * stride, (row + 1) * stride) });
}

function targetsOf(y: Target, count: number, name = ''): At<number | Float32Array> {
  const given = isTensor(y) ? y.shape[0]! : y.length;
  if (given !== count) throw new ShapeError(`fromTensors got ${count} examples but ${given} targets${name}`);
  if (!isTensor(y)) return (row) => y[row]!;
  const width = y.data.length / count;
  return (row) => Float32Array.from(y.data.subarray(row * width, (row + 1) * width), Number);
}

const isTensor = (value: object): value is Tensor => Array.isArray((value as Tensor).shape);

const isTarget = (y: Target | ByName<Target>): y is Target =>
  isTensor(y) || typeof (y as ArrayLike<number>).length === 'number';

/** Anything that can be gone through more than once: a function that opens a pass. */
export const fromIterable = <T>(
  open: (epoch: number) => AsyncIterable<T> | Iterable<T>,
  { examples }: { examples?: number } = {},
): Dataset<T> => new Dataset(open, { examples });
