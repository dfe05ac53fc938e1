import type { Initializer } from './layer.ts';

export const zeros: Initializer = (shape) => new Float32Array(size(shape));

export const ones: Initializer = (shape) => new Float32Array(size(shape)).fill(1);

/** Uniform in ±sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio, 2010), Keras' default for kernels. The last two
 * axes are inputs and outputs, the ones before them the receptive field. */
export const glorotUniform: Initializer = (shape, random) => {
  const field = size(shape.slice(0, -2));
  const limit = Math.sqrt(6 / (field * (shape.at(-2)! + shape.at(-1)!)));
  return Float32Array.from({ length: size(shape) }, () => (2 * random() - 1) * limit);
};

const size = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
