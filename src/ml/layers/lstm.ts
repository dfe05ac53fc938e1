import { lstmCell } from '../ops/recurrent-cells.ts';
import type { Activation } from './activation.ts';
import type { Initializer } from './layer.ts';
import { type Kind, type RecurrentLayer, type RecurrentOptions, recurrentLayer } from './recurrent.ts';

export interface LSTMOptions extends RecurrentOptions {
  recurrentActivation?: Activation;
  /** Starts the forget gate's bias at 1 (Jozefowicz et al., 2015). */
  unitForgetBias?: boolean;
}

/** Long short-term memory (Hochreiter and Schmidhuber, 1997), as Keras' LSTM; its gates stand in the order input,
 * forget, cell, output (https://keras.io/api/layers/recurrent_layers/lstm/). */
export function lstm(units: number, options: LSTMOptions = {}): RecurrentLayer {
  const kind: Kind = {
    type: 'LSTM',
    gates: 4,
    parts: 2,
    ...(options.unitForgetBias !== false && { biasInitializer: forgetOne }),
    operator: {
      opType: 'LSTM',
      gates: [0, 3, 1, 2],
      activations: ['recurrentActivation', 'activation', 'activation'],
    },
    cell: ({ recurrentKernel }, activations) =>
      lstmCell(recurrentKernel, ['input', 'forget', 'candidate', 'output'], activations),
  };
  return recurrentLayer(kind, units, options, (other) => lstm(units, other));
}

const forgetOne: Initializer = ([width]) => {
  const units = width! / 4;
  return Float32Array.from({ length: width! }, (_, index) => (Math.floor(index / units) === 1 ? 1 : 0));
};
