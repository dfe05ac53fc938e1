import type { Value } from '../graph.ts';
import { add, multiply } from '../ops/arithmetic.ts';
import { addBias } from '../ops/bias.ts';
import { linear } from '../ops/linear.ts';
import { pick } from '../ops/pick.ts';
import { type Cell, recurrent } from '../ops/recurrent.ts';
import { gruCellResetAfter, gruCellResetBefore, lstmCell, simpleCell } from '../ops/recurrent-cells.ts';
import { reshape } from '../ops/reshape.ts';
import { split } from '../ops/slice.ts';
import type { Shape } from '../shape.ts';
import { type Call, isConstant } from './datum.ts';
import { type RecurrentNode, readRecurrentNode } from './recurrent-node.ts';
import { concat, slice, transpose } from './structure.ts';

/** ONNX's LSTM, GRU and RNN over x [T, N, C]: Y [T, D, N, U], Y_h and Y_c [D, N, U]. Trained through by the loops of the
 * layers, else as the operator that it is. */
export function recurrentOperator(call: Call): (Value | undefined)[] {
  const node = readRecurrentNode(call);
  const initial = node.directions.map((_, side) => initialState(call, node, side));
  const startsAtZero = initial.flat().every((part) => part === undefined);
  return call.isInference && node.plainActivations && startsAtZero
    ? asOperator(call, node)
    : asLoops(call, node, initial);
}

function asOperator(call: Call, node: RecurrentNode): (Value | undefined)[] {
  const { opType, units, steps, directions, linearBeforeReset } = node;
  const x = call.tensor(0);
  const weights = [1, 2, 3].filter((input) => call.has(input)).map((input) => call.tensor(input));
  const last = [directions.length, x.shape[1]!, units];
  const shapes: Shape[] = [[steps, ...last], last, last];
  const kinds = shapes
    .slice(0, opType === 'LSTM' ? 3 : 2)
    .map((shape, output) => (call.wants(output) ? { dtype: x.dtype, shape } : undefined));
  return call.graph.nodeOfMany(opType, [x, ...weights], kinds, {
    activations: node.plainActivations!,
    direction: call.text('direction', 'forward'),
    hidden_size: units,
    ...(linearBeforeReset && { linear_before_reset: 1 }),
  });
}

type State = readonly (Value | undefined)[];

function asLoops(call: Call, node: RecurrentNode, initial: State[]): (Value | undefined)[] {
  const x = transpose(call.tensor(0), [1, 0, 2]);
  const runs = node.directions.map((_, side) => run(call, node, side, x, initial[side]!));
  const joined = (parts: Value[], axis: number) =>
    concat(
      parts.map((part) => reshape(part, part.shape.toSpliced(axis, 0, 1))),
      axis,
    );
  return [
    call.wants(0)
      ? joined(
          runs.map(({ sequence }) => transpose(sequence!, [1, 0, 2])),
          1,
        )
      : undefined,
    call.wants(1)
      ? joined(
          runs.map(({ h }) => h),
          0,
        )
      : undefined,
    call.wants(2)
      ? joined(
          runs.map(({ c }) => c!),
          0,
        )
      : undefined,
  ];
}

interface Run {
  /** The outputs [N, T, U] in the order of the steps, where they are wanted. */
  sequence: Value | undefined;
  /** The last state, [N, U]. */
  h: Value;
  c: Value | undefined;
}

/** One direction over x [N, T, C]. Where the last cell state of an LSTM is wanted too, both parts of the state go
 * through the loop as one, since a loop gives out the first part alone. */
function run(call: Call, node: RecurrentNode, side: number, x: Value, initial: State): Run {
  const { units, steps } = node;
  const { isReverse } = node.directions[side]!;
  const { cell, parts, step } = cellOf(call, node, side, x);
  const joins = call.wants(2);
  const returnSequences = call.wants(0);
  const made = recurrent(step, joins ? joinedCell(cell) : cell, {
    units: joins ? 2 * units : units,
    parts: joins ? 1 : parts,
    goBackwards: isReverse,
    returnSequences,
    mask: undefined,
    initial: joins ? joinedState(initial) : initial,
  });
  const last = returnSequences
    ? reshape(slice(made, 1, steps - 1, steps), [made.shape[0]!, made.shape[2]!])
    : made;
  const [h, c] = joins ? (split(last, 2) as [Value, Value]) : [last, undefined];
  const outputs = joins && returnSequences ? slice(made, 2, 0, units) : made;
  return { sequence: isReverse && returnSequences ? inReverse(outputs, steps) : outputs, h, c };
}

/** The cell of one direction, and what it is given of all steps at once: [N, T, gates * units]. */
function cellOf(call: Call, node: RecurrentNode, side: number, x: Value) {
  const { opType, units, directions, linearBeforeReset } = node;
  const [first, second, third] = directions[side]!.activations as [
    (x: Value) => Value,
    (x: Value) => Value,
    (x: Value) => Value,
  ];
  const product = linear(x, transpose(sideOf(call.tensor(1), side), [1, 0]));
  const kernel = transpose(sideOf(call.tensor(2), side), [1, 0]);
  const [inputBias, stateBias] = call.has(3) ? split(sideOf(call.tensor(3), side), 2) : [];
  const activations = { recurrentActivation: first, activation: second };
  if (opType === 'GRU' && linearBeforeReset) {
    const step = inputBias ? addBias(product, inputBias) : product;
    return { cell: gruCellResetAfter(kernel, stateBias, activations), parts: 1, step };
  }
  const step = inputBias ? addBias(product, add(inputBias, stateBias!)) : product;
  if (opType === 'GRU') return { cell: gruCellResetBefore(kernel, units, activations), parts: 1, step };
  if (opType === 'RNN') return { cell: simpleCell(kernel, first), parts: 1, step };
  const cell = lstmCell(kernel, ['input', 'output', 'forget', 'candidate'], {
    ...activations,
    outputActivation: third,
  });
  return { cell, parts: 2, step };
}

/** One direction's of weights [D, …]. */
const sideOf = (weights: Value, side: number): Value =>
  reshape(slice(weights, 0, side, side + 1), weights.shape.slice(1));

const joinedCell =
  (cell: Cell): Cell =>
  (step, [state]) => [concat(cell(step, split(state!, 2)), 1)];

function joinedState([h, c]: State): State {
  const given = h ?? c;
  if (!given) return [];
  const zeros = multiply(add(h ?? given, c ?? given), given.graph.constant(0));
  return [concat([h ? add(zeros, h) : zeros, c ? add(zeros, c) : zeros], 1)];
}

/** One direction's initial_h, and of an LSTM initial_c, as [N, U] or [1, U]; undefined for zeros. */
function initialState(call: Call, { opType, units, directions }: RecurrentNode, side: number): State {
  return (opType === 'LSTM' ? [5, 6] : [5]).map((input) => {
    if (!call.has(input)) return undefined;
    const datum = call.datum(input);
    if (isConstant(datum) && Array.from(datum.numbers).every((number) => number === 0)) return undefined;
    const [sides, batch, width] = datum.shape;
    const fits = datum.shape.length === 3 && sides === directions.length && width === units;
    if (fits && (batch === 'N' || batch === 1)) return sideOf(call.tensor(input), side);
    throw new Error(
      `its initial state "${call.node.inputs[input]}" is [${datum.shape.join(', ')}], but must be [${directions.length}, N, ${units}], with one row or one for each example`,
    );
  });
}

function inReverse(x: Value, steps: number): Value {
  const order = Array.from({ length: steps }, (_, step) => steps - 1 - step);
  return pick(x, order, [steps]);
}
