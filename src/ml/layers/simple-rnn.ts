import { simpleCell } from '../ops/recurrent-cells.ts';
import { type Kind, type RecurrentLayer, type RecurrentOptions, recurrentLayer } from './recurrent.ts';

export type SimpleRNNOptions = RecurrentOptions;

/** Each output a function of the step's input and the output before it, as Keras' SimpleRNN
 * (https://keras.io/api/layers/recurrent_layers/simple_rnn/). */
export function simpleRNN(units: number, options: SimpleRNNOptions = {}): RecurrentLayer {
  const kind: Kind = {
    type: 'SimpleRNN',
    gates: 1,
    parts: 1,
    operator: { opType: 'RNN', gates: [0], activations: ['activation'] },
    cell: ({ recurrentKernel }, { activation }) => simpleCell(recurrentKernel, activation),
  };
  return recurrentLayer(kind, units, options, (other) => simpleRNN(units, other));
}
