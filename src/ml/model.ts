import { graphArchitecture } from './architecture.ts';
import type { Input } from './layers/input.ts';
import type { SymbolicTensor } from './layers/layer.ts';
import { type ModelOptions, TrainableModel } from './training/trainable-model.ts';

export interface FunctionalOptions extends ModelOptions {
  inputs: Input | Input[];
  outputs: SymbolicTensor | SymbolicTensor[];
}

/** The layers between inputs and outputs, as Keras' functional Model: several of each, layers that are shared, paths
 * that join (https://keras.io/api/models/model/).
 *
 *     const x = input([8]);
 *     const hidden = dense(16, { activation: 'relu' }).apply(x);
 *     const network = model({ inputs: x, outputs: dense(2).apply(hidden) });
 *
 * @throws ShapeError where an output depends on an input that is not named. */
export function model({
  inputs,
  outputs,
  name = 'functional',
  ...options
}: FunctionalOptions): TrainableModel {
  return new TrainableModel(graphArchitecture([inputs].flat(), [outputs].flat()), { name, ...options });
}
