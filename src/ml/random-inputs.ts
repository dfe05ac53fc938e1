import { type Shape, sizeOf } from './shape.ts';
import { type Tensor, tensor } from './tensor.ts';

/** An input of a training step that takes random numbers. They come from outside the graph so that they depend on
 * seed and step alone: a training that goes on from a checkpoint draws what it would have drawn. */
export interface RandomInput {
  name: string;
  shape: Shape;
  seed: number;
  distribution: 'uniform' | 'normal';
}

/** Numbers for a random input at one step: uniform in [0, 1), or of the standard normal distribution. */
export function drawRandom(
  { shape, seed, distribution }: RandomInput,
  { step, batchSize }: { step: number; batchSize: number },
): Tensor {
  const dims = shape.map((dim) => {
    const { coefficient, power } = sizeOf([dim]);
    return coefficient * batchSize ** power;
  });
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  const start = mix(mix(seed >>> 0) ^ step);
  if (distribution === 'uniform') fillUniform(data, start);
  else fillNormal(data, start);
  return tensor(data, dims);
}

/** All random inputs of a program, by name. */
export function drawAll(
  inputs: readonly RandomInput[],
  at: { step: number; batchSize: number },
): Record<string, Tensor> {
  return Object.fromEntries(inputs.map((input) => [input.name, drawRandom(input, at)]));
}

/** 24 bits: as many as a float32 below 1 can tell apart, so that none rounds up to 1. */
const unit = 2 ** -24;
const golden = 0x9e3779b9;

function fillUniform(data: Float32Array, start: number): void {
  for (let index = 0, state = start; index < data.length; index += 1) {
    state = (state + golden) | 0;
    data[index] = (mix(state) >>> 8) * unit;
  }
}

/** Box and Muller, 1958. */
function fillNormal(data: Float32Array, start: number): void {
  for (let index = 0, state = start; index < data.length; index += 1) {
    const first = (mix(state + golden) >>> 8) * unit;
    state = (state + 2 * golden) | 0;
    const second = (mix(state) >>> 8) * unit;
    data[index] = Math.sqrt(-2 * Math.log(1 - first)) * Math.cos(2 * Math.PI * second);
  }
}

/** A mixer of 32 bits (Chris Wellons, "Prospecting for Hash Functions", lowbias32; public domain). */
export function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
