import { differentiable, pullBack } from '../autodiff.ts';
import type { Graph, Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';

/** The state after a time step [N, G], from the state before it; a mask of the step comes as [N, 1]. */
type Advance = (step: Value, state: readonly Value[], isKept: Value | undefined) => Value[];

export interface LoopOptions {
  /** The parts of the state before the first step, [N, U]. */
  initial: readonly Value[];
  goBackwards: boolean;
  returnSequences: boolean;
  /** [T, N, 1] */
  mask: Value | undefined;
}

/** Goes through the steps of x [T, N, G] by ONNX's Scan: the first part of the state after each of them [T, N, U], in the
 * order in which they were made, or after the last [N, U]. The graph is as large for ten thousand steps as for one. Its
 * gradient is a loop the other way, which computes each step anew from the state before it. */
export function loopOver(x: Value, advance: Advance, options: LoopOptions): Value {
  const { initial, goBackwards, returnSequences, mask } = options;
  const initialShapes = initial.map(({ shape }) => shape);
  const { body, inputs, step, state, isKept } = openBody(x, { initialShapes, mask });
  const next = advance(step, state, isKept);
  const weights = takenFrom(body);
  giveOut(body, [...next, ...next]);
  const reading = goBackwards ? 1 : 0;
  const results = onnx.scan(body, { initial, scanned: inputs }, next, {
    inputs: inputs.map(() => reading),
    outputs: next.map(() => 0),
  });
  const after = results.slice(initial.length);
  const y = returnSequences ? after[0]! : results[0]!;
  return differentiable([x, ...weights, ...initial], y, (dy) => {
    const before = after.map((states, part) => shifted(states, initial[part]!));
    return backward({ x, advance, options, weights, before, dy });
  });
}

interface Backward {
  x: Value;
  advance: Advance;
  options: LoopOptions;
  weights: Value[];
  /** The states before each step, [T, N, U] in the order of the steps. */
  before: Value[];
  dy: Value;
}

/** The gradients of x, of the weights and of the first state. */
function backward({ x, advance, options, weights, before, dy }: Backward): (Value | undefined)[] {
  const { initial, goBackwards, returnSequences } = options;
  const initialShapes = [...initial, ...weights].map(({ shape }) => shape);
  const { body, inputs, step, state: carried, isKept } = openBody(x, { initialShapes, mask: options.mask });
  const [gradients, sums] = [carried.slice(0, initial.length), carried.slice(initial.length)];
  const states = before.map(({ shape }, part) => body.input(`before_${part}`, body.float, shape.slice(1)));
  const dStep = returnSequences ? body.input('dy', body.float, dy.shape.slice(1)) : undefined;
  const next = advance(step, states, isKept);
  const from = next.map((value, part) => {
    const gradient = gradients[part]!;
    return [value, part === 0 && dStep ? onnx.add(gradient, dStep) : gradient] as const;
  });
  const found = pullBack(from, [step, ...states, ...weights]).map((gradient, index) => {
    if (gradient) return gradient;
    throw new Error(`A recurrent cell does not depend on ${[step, ...states, ...weights][index]!.name}`);
  });
  const [dX, ...rest] = found as [Value, ...Value[]];
  const dStates = rest.slice(0, states.length);
  const added = rest.slice(states.length).map((gradient, index) => onnx.add(sums[index]!, gradient));
  giveOut(body, [...dStates, ...added, dX]);
  // Values that stand in the order of the steps are read last first, x and its mask as they were not read before.
  const readingX = goBackwards ? 0 : 1;
  const zero = initial.map((part) => onnx.sub(part, part));
  const start = returnSequences ? zero : [dy, ...zero.slice(1)];
  const scanned = [...inputs, ...before, ...(dStep ? [dy] : [])];
  const results = onnx.scan(
    body,
    { initial: [...start, ...weights.map(({ graph, shape }) => onnx.zeros(graph, shape))], scanned },
    [dX],
    { inputs: scanned.map((_, index) => (index < inputs.length ? readingX : 1)), outputs: [readingX] },
  );
  return [results.at(-1), ...results.slice(start.length, -1), ...results.slice(0, start.length)];
}

/** A loop's body, with what it is given in each step: the state, x and the mask. */
function openBody(
  x: Value,
  { initialShapes, mask }: { initialShapes: readonly Shape[]; mask: Value | undefined },
) {
  const body = x.graph.body();
  const state = initialShapes.map((shape, part) => body.input(`state_${part}`, body.float, shape));
  const step = body.input('step', body.float, x.shape.slice(1));
  const isKept = mask && body.input('mask', body.float, mask.shape.slice(1));
  return { body, inputs: mask ? [x, mask] : [x], step, state, isKept };
}

function giveOut(body: Graph, values: Value[]): void {
  values.forEach((value, index) => {
    body.output(`out_${index}`, value);
  });
}

/** The values of other graphs that gradients go to. */
function takenFrom(body: Graph): Value[] {
  const inputs = body.tape.flatMap(({ inputs }) => inputs);
  return [...new Set(inputs)].filter(({ graph }) => graph !== body);
}

/** The states before each step, from those after it [T, N, U] and the first. */
function shifted(after: Value, first: Value): Value {
  const [steps, ...rest] = after.shape as [number, ...Shape];
  const begin = onnx.reshape(first, [1, ...rest]);
  return onnx.concat([begin, onnx.slice(after, 0, 0, steps - 1)], 0);
}
