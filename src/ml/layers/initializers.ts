import { normal } from '../random.ts';
import type { Initializer } from './layer.ts';

/** Starting values as in keras.initializers (https://keras.io/api/layers/initializers/); the random numbers are not
 * Keras'. The last two axes are inputs and outputs, the ones before them the receptive field. */
export const zeros: Initializer = (shape) => new Float32Array(size(shape));

export const ones: Initializer = (shape) => new Float32Array(size(shape)).fill(1);

export const constant =
  (value = 0): Initializer =>
  (shape) =>
    new Float32Array(size(shape)).fill(value);

export const randomUniform =
  ({ minval = -0.05, maxval = 0.05 }: { minval?: number; maxval?: number } = {}): Initializer =>
  (shape, random) =>
    fill(shape, () => minval + (maxval - minval) * random());

export const randomNormal =
  ({ mean = 0, stddev = 0.05 }: { mean?: number; stddev?: number } = {}): Initializer =>
  (shape, random) =>
    fill(shape, () => mean + stddev * normal(random));

/** Normal, but numbers more than two standard deviations off are drawn again. */
export const truncatedNormal =
  ({ mean = 0, stddev = 0.05 }: { mean?: number; stddev?: number } = {}): Initializer =>
  (shape, random) =>
    fill(shape, () => mean + stddev * truncated(random));

/** Uniform in ±sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio, 2010), Keras' default for kernels. */
export const glorotUniform: Initializer = uniform((shape) => (fanIn(shape) + fanOut(shape)) / 2);
/** Truncated normal of variance 2 / (fanIn + fanOut). */
export const glorotNormal: Initializer = normalOf((shape) => (fanIn(shape) + fanOut(shape)) / 2);
/** Uniform in ±sqrt(6 / fanIn) (He et al., 2015). */
export const heUniform: Initializer = uniform((shape) => fanIn(shape) / 2);
/** Truncated normal of variance 2 / fanIn. */
export const heNormal: Initializer = normalOf((shape) => fanIn(shape) / 2);
/** Uniform in ±sqrt(3 / fanIn) (LeCun et al., 1998). */
export const lecunUniform: Initializer = uniform(fanIn);
/** Truncated normal of variance 1 / fanIn. */
export const lecunNormal: Initializer = normalOf(fanIn);

/** A matrix whose columns (or rows, if there are fewer) are orthonormal, times `gain` (Saxe et al., 2014). */
export const orthogonal =
  ({ gain = 1 }: { gain?: number } = {}): Initializer =>
  (shape, random) => {
    const columns = shape.at(-1)!;
    const rows = size(shape) / columns;
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
    const basis = orthonormal(count, length, random);
    const matrix = new Float32Array(rows * columns);
    basis.forEach((vector, index) => {
      vector.forEach((value, at) => {
        const [row, column] = rows >= columns ? [at, index] : [index, at];
        matrix[row * columns + column] = gain * value;
      });
    });
    return matrix;
  };

/** Vectors made orthonormal one after the other (modified Gram-Schmidt). */
function orthonormal(count: number, length: number, random: () => number): Float64Array[] {
  const basis: Float64Array[] = [];
  while (basis.length < count) {
    const vector = Float64Array.from({ length }, () => normal(random));
    for (const other of basis) {
      const along = dot(vector, other);
      for (let at = 0; at < length; at += 1) vector[at]! -= along * other[at]!;
    }
    const norm = Math.sqrt(dot(vector, vector));
    basis.push(vector.map((value) => value / norm));
  }
  return basis;
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((total, value, index) => total + value * b[index]!, 0);

/** Of variance 1 / spread. */
function uniform(spread: (shape: readonly number[]) => number): Initializer {
  return (shape, random) => {
    const limit = Math.sqrt(3 / spread(shape));
    return fill(shape, () => (2 * random() - 1) * limit);
  };
}

function normalOf(spread: (shape: readonly number[]) => number): Initializer {
  return (shape, random) => {
    const deviation = Math.sqrt(1 / spread(shape)) / truncatedDeviation;
    return fill(shape, () => deviation * truncated(random));
  };
}

/** The standard deviation of a standard normal distribution that is cut off at ±2. */
const truncatedDeviation = 0.8796256610342398;

function truncated(random: () => number): number {
  let value = normal(random);
  while (Math.abs(value) > 2) value = normal(random);
  return value;
}

function fanIn(shape: readonly number[]): number {
  return shape.length < 2 ? size(shape) : size(shape.slice(0, -1));
}

function fanOut(shape: readonly number[]): number {
  return shape.length < 2 ? size(shape) : size(shape.slice(0, -2)) * shape.at(-1)!;
}

const fill = (shape: readonly number[], draw: () => number): Float32Array =>
  Float32Array.from({ length: size(shape) }, draw);

const size = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
