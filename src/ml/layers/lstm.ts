import { add, multiply } from '../ops/arithmetic.ts';
import { linear } from '../ops/linear.ts';
import { split } from '../ops/slice.ts';
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
    cell:
      ({ recurrentKernel }, { activation, recurrentActivation }) =>
      (step, [h, c]) => {
        const [input, forget, candidate, output] = split(add(step, linear(h!, recurrentKernel)), 4);
        const kept = multiply(recurrentActivation(forget!), c!);
        const next = add(kept, multiply(recurrentActivation(input!), activation(candidate!)));
        return [multiply(recurrentActivation(output!), activation(next)), next];
      },
  };
  return recurrentLayer(kind, units, options, (other) => lstm(units, other));
}

const forgetOne: Initializer = ([width]) => {
  const units = width! / 4;
  return Float32Array.from({ length: width! }, (_, index) => (Math.floor(index / units) === 1 ? 1 : 0));
};
