import { architecture } from './architecture.ts';
import type { Input } from './layers/input.ts';
import type { Layer } from './layers/layer.ts';
import { type ModelOptions, TrainableModel } from './training/trainable-model.ts';

export type SequentialOptions = ModelOptions;

/** A stack of layers that begins with `input(...)`, as Keras' Sequential.
 * @throws ShapeError where a layer cannot take what the one before it gives. */
export function sequential(layers: (Input | Layer)[], options: SequentialOptions = {}): Sequential {
  return new Sequential(layers, options);
}

export class Sequential extends TrainableModel {
  constructor(layers: (Input | Layer)[], { name = 'sequential', ...options }: SequentialOptions) {
    super(architecture(layers), { name, ...options });
  }
}
