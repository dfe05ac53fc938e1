import type { Value } from '../graph.ts';
import { add, multiply, subtract } from '../ops/arithmetic.ts';
import { addBias } from '../ops/bias.ts';
import { linear } from '../ops/linear.ts';
import { reshape } from '../ops/reshape.ts';
import { slice, split } from '../ops/slice.ts';
import type { Activation } from './activation.ts';
import {
  type Activations,
  type Kind,
  type RecurrentLayer,
  type RecurrentOptions,
  recurrentLayer,
} from './recurrent.ts';

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
        ? cellAfter(recurrentKernel, bias && row(bias, 1), activations)
        : cellBefore(recurrentKernel, units, activations),
  };
  return recurrentLayer(kind, units, options, (other) => gru(units, other));
}

function cellAfter(kernel: Value, bias: Value | undefined, { activation, recurrentActivation }: Activations) {
  return (step: Value, [h]: readonly Value[]): Value[] => {
    const product = linear(h!, kernel);
    const [recurrentUpdate, recurrentReset, recurrentCandidate] = split(
      bias ? addBias(product, bias) : product,
      3,
    );
    const [stepUpdate, stepReset, stepCandidate] = split(step, 3);
    const update = recurrentActivation(add(stepUpdate!, recurrentUpdate!));
    const reset = recurrentActivation(add(stepReset!, recurrentReset!));
    const candidate = activation(add(stepCandidate!, multiply(reset, recurrentCandidate!)));
    return [blend(update, h!, candidate)];
  };
}

function cellBefore(kernel: Value, units: number, { activation, recurrentActivation }: Activations) {
  const gatesKernel = slice(kernel, 1, 0, 2 * units);
  const candidateKernel = slice(kernel, 1, 2 * units, 3 * units);
  return (step: Value, [h]: readonly Value[]): Value[] => {
    const [stepUpdate, stepReset, stepCandidate] = split(step, 3);
    const [recurrentUpdate, recurrentReset] = split(linear(h!, gatesKernel), 2);
    const update = recurrentActivation(add(stepUpdate!, recurrentUpdate!));
    const reset = recurrentActivation(add(stepReset!, recurrentReset!));
    const candidate = activation(add(stepCandidate!, linear(multiply(reset, h!), candidateKernel)));
    return [blend(update, h!, candidate)];
  };
}

/** update * h + (1 - update) * candidate */
const blend = (update: Value, h: Value, candidate: Value): Value =>
  add(candidate, multiply(update, subtract(h, candidate)));

const row = (bias: Value, index: number): Value =>
  reshape(slice(bias, 0, index, index + 1), [bias.shape[1] as number]);
