import type { Value } from '../graph.ts';
import { gruCellResetAfter, gruCellResetBefore } from '../ops/recurrent-cells.ts';
import { reshape } from '../ops/reshape.ts';
import { slice } from '../ops/slice.ts';
import type { Activation } from './activation.ts';
import { type Kind, type RecurrentLayer, type RecurrentOptions, recurrentLayer } from './recurrent.ts';

export interface GRUOptions extends RecurrentOptions {
  recurrentActivation?: Activation;
  /** Whether the reset gate acts after the product with the recurrent kernel, or before it. */
  resetAfter?: boolean;
}

/** Gated recurrent unit (Cho et al., 2014), as Keras' GRU; its gates stand in the order update, reset, candidate
 * (https://keras.io/api/layers/recurrent_layers/gru/). */
export function gru(units: number, options: GRUOptions = {}): RecurrentLayer {
  const { resetAfter = true } = options;
  const after: Partial<Kind> = {
    biasShape: [2, 3 * units],
    inputBias: (bias) => row(bias, 0),
  };
  const kind: Kind = {
    type: 'GRU',
    gates: 3,
    parts: 1,
    ...(resetAfter && after),
    operator: {
      opType: 'GRU',
      gates: [0, 1, 2],
      activations: ['recurrentActivation', 'activation'],
      linearBeforeReset: resetAfter,
    },
    cell: ({ recurrentKernel, bias }, activations) =>
      resetAfter
        ? gruCellResetAfter(recurrentKernel, bias && row(bias, 1), activations)
        : gruCellResetBefore(recurrentKernel, units, activations),
  };
  return recurrentLayer(kind, units, options, (other) => gru(units, other));
}

const row = (bias: Value, index: number): Value =>
  reshape(slice(bias, 0, index, index + 1), [bias.shape[1] as number]);
