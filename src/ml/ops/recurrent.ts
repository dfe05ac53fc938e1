import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { add, multiply, subtract } from './arithmetic.ts';
import { stack, unstack } from './concatenate.ts';
import { loopOver } from './recurrent-loop.ts';
import { transpose } from './transpose.ts';

/** What a cell makes of one time step: from the step's own numbers [N, G], and the state before it, the state after
 * it. The first of the state's parts [N, U] is the output. */
export type Cell = (step: Value, state: readonly Value[]) => Value[];

export interface RecurrentOptions {
  units: number;
  /** How many parts the state has. */
  parts: number;
  goBackwards: boolean;
  returnSequences: boolean;
  /** [N, T]: at 0 a step is left out, and the state stays as it was. */
  mask: Value | undefined;
  /** The state before the first step, [N, U] or [1, U]; zeros where it is not given. */
  initial?: readonly (Value | undefined)[];
  /** Longer sequences are gone through by a loop: a graph grows with each unrolled step, and the time to load it faster. */
  unrolledStepsMax?: number;
}

/** Up to so many steps an unrolled training step is loaded in less than a second, and is the faster one. */
const unrolledSteps = 32;

/** Runs a cell over the time steps of x [N, T, G]: the outputs [N, T, U] in the order in which they were made, or the
 * last one [N, U]. */
export function recurrent(x: Value, cell: Cell, options: RecurrentOptions): Value {
  if ((x.shape[1] as number) <= (options.unrolledStepsMax ?? unrolledSteps))
    return unrolled(x, cell, options);
  const y = loopOver(transpose(x, [1, 0, 2]), (step, state, isKept) => advance(cell, step, state, isKept), {
    ...options,
    initial: firstState(x, options),
    mask: options.mask && onnx.reshape(onnx.transpose(options.mask, [1, 0]), [x.shape[1]!, x.shape[0]!, 1]),
  });
  return options.returnSequences ? transpose(y, [1, 0, 2]) : y;
}

/** The state after a step; one that is left out leaves it as it was. */
function advance(cell: Cell, step: Value, state: readonly Value[], isKept: Value | undefined): Value[] {
  const next = cell(step, state);
  return isKept ? next.map((part, at) => blend(state[at]!, part, isKept)) : next;
}

/** The loop as one graph of GEMMs. */
function unrolled(x: Value, cell: Cell, options: RecurrentOptions): Value {
  const { goBackwards, mask } = options;
  const inOrder = (values: Value[]) => (goBackwards ? values.toReversed() : values);
  const kept = mask && inOrder(columns(mask));
  const outputs: Value[] = [];
  let state = firstState(x, options);
  inOrder(unstack(x)).forEach((step, index) => {
    state = advance(cell, step, state, kept?.[index]);
    outputs.push(state[0]!);
  });
  return options.returnSequences ? stack(outputs) : outputs.at(-1)!;
}

/** `after` where the mask [N, 1] is 1, else `before`. */
const blend = (before: Value, after: Value, mask: Value): Value =>
  add(before, multiply(subtract(after, before), mask));

const columns = (mask: Value): Value[] =>
  Array.from({ length: mask.shape[1] as number }, (_, step) => onnx.slice(mask, 1, step, step + 1));

function firstState(x: Value, options: RecurrentOptions): Value[] {
  return zeroState(x, options).map((zeros, part) => {
    const given = options.initial?.[part];
    return given ? add(zeros, given) : zeros;
  });
}

function zeroState(x: Value, { units, parts }: RecurrentOptions): Value[] {
  const first = onnx.reshape(onnx.slice(onnx.slice(x, 1, 0, 1), 2, 0, 1), [x.shape[0]!, 1]);
  // The batch size is known only at run time; `x > x` is false, hence 0, even for NaN.
  const column = onnx.mask(onnx.greater(first, first));
  return new Array<Value>(parts).fill(onnx.pad(column, 1, 0, units - 1));
}
