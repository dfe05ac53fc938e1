import { dropout as drop } from '../ops/dropout.ts';
import { defineLayer, type Layer } from './layer.ts';

/** Zeroes a share `rate` of its input while training, as Keras' Dropout. */
export function dropout(rate: number, { name }: { name?: string } = {}): Layer {
  if (!(rate >= 0 && rate < 1))
    throw new RangeError(`dropout(${rate}): the rate must be at least 0 and below 1`);
  return defineLayer({
    type: 'Dropout',
    name,
    config: { rate },
    masking: 'passes',
    outputShape: (input) => input,
    parameters: () => [],
    forward: (x, _parameters, { isTraining, random }) =>
      isTraining && rate > 0 ? drop(x, rate, random(x, 'uniform')) : x,
    infer: (x) => x,
  });
}
