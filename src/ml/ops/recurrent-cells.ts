import type { Value } from '../graph.ts';
import { add, multiply, subtract } from './arithmetic.ts';
import { addBias } from './bias.ts';
import { linear } from './linear.ts';
import type { Cell } from './recurrent.ts';
import { slice, split } from './slice.ts';

type Activation = (x: Value) => Value;

export interface CellActivations {
  activation: Activation;
  recurrentActivation: Activation;
}

/** In what order the weights have an LSTM's gates. */
export type LSTMGates = readonly ('input' | 'forget' | 'candidate' | 'output')[];

/** A step of an LSTM (Hochreiter and Schmidhuber, 1997), from a state of output and cell; `outputActivation` is that of
 * the cell where it becomes the output, the candidate's by default. */
export function lstmCell(
  recurrentKernel: Value,
  gates: LSTMGates,
  activations: CellActivations & { outputActivation?: Activation },
): Cell {
  const { activation, recurrentActivation, outputActivation = activation } = activations;
  return (step, [h, c]) => {
    const parts = split(add(step, linear(h!, recurrentKernel)), 4);
    const gate = (name: LSTMGates[number]) => parts[gates.indexOf(name)]!;
    const kept = multiply(recurrentActivation(gate('forget')), c!);
    const next = add(kept, multiply(recurrentActivation(gate('input')), activation(gate('candidate'))));
    return [multiply(recurrentActivation(gate('output')), outputActivation(next)), next];
  };
}

/** A step of a GRU (Cho et al., 2014) whose reset gate acts after the product with the recurrent kernel; gates stand in
 * the order update, reset, candidate. */
export function gruCellResetAfter(
  recurrentKernel: Value,
  bias: Value | undefined,
  { activation, recurrentActivation }: CellActivations,
): Cell {
  return (step, [h]) => {
    const product = linear(h!, recurrentKernel);
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

/** The same with the reset gate before the product. */
export function gruCellResetBefore(
  recurrentKernel: Value,
  units: number,
  { activation, recurrentActivation }: CellActivations,
): Cell {
  const gatesKernel = slice(recurrentKernel, 1, 0, 2 * units);
  const candidateKernel = slice(recurrentKernel, 1, 2 * units, 3 * units);
  return (step, [h]) => {
    const [stepUpdate, stepReset, stepCandidate] = split(step, 3);
    const [recurrentUpdate, recurrentReset] = split(linear(h!, gatesKernel), 2);
    const update = recurrentActivation(add(stepUpdate!, recurrentUpdate!));
    const reset = recurrentActivation(add(stepReset!, recurrentReset!));
    const candidate = activation(add(stepCandidate!, linear(multiply(reset, h!), candidateKernel)));
    return [blend(update, h!, candidate)];
  };
}

/** A step of a simple recurrent network: a function of the step's input and the output before it. */
export const simpleCell =
  (recurrentKernel: Value, activation: Activation): Cell =>
  (step, [h]) => [activation(add(step, linear(h!, recurrentKernel)))];

/** update * h + (1 - update) * candidate */
const blend = (update: Value, h: Value, candidate: Value): Value =>
  add(candidate, multiply(update, subtract(h, candidate)));
