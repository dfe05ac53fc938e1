import type { Value } from '../graph.ts';
import * as activation from '../ops/activations.ts';
import type { Call } from './datum.ts';
import * as elementwise from './elementwise.ts';

type Activation = (x: Value) => Value;

/** A node of ONNX's LSTM, GRU or RNN, checked (https://onnx.ai/onnx/operators/onnx__LSTM.html). */
export interface RecurrentNode {
  opType: 'LSTM' | 'GRU' | 'RNN';
  units: number;
  /** Time steps of x [T, N, C]. */
  steps: number;
  /** For each direction its activations, in the operator's order. */
  directions: readonly { isReverse: boolean; activations: readonly Activation[] }[];
  linearBeforeReset: boolean;
  /** The activations' names, where ONNX's own operator takes them without arguments. */
  plainActivations: string[] | undefined;
}

const kinds = {
  LSTM: { gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'] },
  GRU: { gates: 3, activations: ['Sigmoid', 'Tanh'] },
  RNN: { gates: 1, activations: ['Tanh'] },
};

/** @throws Error for what the node has that is not supported, and weights that do not fit. */
export function readRecurrentNode(call: Call): RecurrentNode {
  const opType = call.node.type as RecurrentNode['opType'];
  refuseOptions(call);
  const x = call.datum(0).shape;
  const [steps, , channels] = x;
  if (x.length !== 3 || typeof steps !== 'number' || typeof channels !== 'number') {
    throw new Error(
      `its input is [${x.join(', ')}], but must be [steps, N, channels] with the batch as the model's first axis (in PyTorch batch_first=True)`,
    );
  }
  const sides = sidesOf(call.text('direction', 'forward'));
  const { gates } = kinds[opType];
  const units = call.number('hidden_size', Number(call.datum(2).shape[2]));
  requireShape(call, 1, 'W', [sides.length, gates * units, channels]);
  requireShape(call, 2, 'R', [sides.length, gates * units, units]);
  requireShape(call, 3, 'B', [sides.length, 2 * gates * units]);
  requireFullSequences(call, steps);
  const { each, plainActivations } = readActivations(call, kinds[opType].activations, sides.length);
  return {
    opType,
    units,
    steps,
    directions: sides.map((isReverse, index) => ({ isReverse, activations: each[index]! })),
    linearBeforeReset: call.number('linear_before_reset', 0) === 1,
    plainActivations,
  };
}

function refuseOptions(call: Call): void {
  if (call.attribute('clip') !== undefined) throw new Error('clip is not supported');
  if (call.number('layout', 0) !== 0)
    throw new Error('layout 1 (the batch first) is not supported: export it with layout 0');
  if (call.number('input_forget', 0) !== 0) throw new Error('input_forget is not supported');
  if (call.has(7)) throw new Error('peepholes (input P) are not supported');
}

function sidesOf(direction: string): boolean[] {
  if (direction === 'forward') return [false];
  if (direction === 'reverse') return [true];
  if (direction === 'bidirectional') return [false, true];
  throw new Error(`its direction ${direction} is none of forward, reverse and bidirectional`);
}

function requireShape(call: Call, input: number, name: string, expected: number[]): void {
  if (input === 3 && !call.has(input)) return;
  const { shape } = call.datum(input);
  if (shape.join() === expected.join()) return;
  throw new Error(`${name} is [${shape.join(', ')}], but must be [${expected.join(', ')}]`);
}

function requireFullSequences(call: Call, steps: number): void {
  if (!call.has(4) || call.numbers(4).every((length) => length === steps)) return;
  throw new Error(`its sequence_lens are not all ${steps}: sequences must be as long as the input`);
}

const plain: Record<string, Activation> = {
  relu: activation.relu,
  sigmoid: activation.sigmoid,
  softplus: activation.softplus,
  tanh: activation.tanh,
};

/** Activations with arguments take the next of activation_alpha, and of activation_beta. */
const parametric: Record<
  string,
  { alpha: number; beta?: number; make: (alpha: number, beta: number) => Activation }
> = {
  elu: { alpha: 1, make: (alpha) => (x) => activation.elu(x, alpha) },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    make: (alpha, beta) => (x) => elementwise.hardSigmoid(x, alpha, beta),
  },
  leakyrelu: { alpha: 0.01, make: (alpha) => (x) => activation.leakyRelu(x, alpha) },
};

function readActivations(call: Call, defaults: string[], directions: number) {
  const names = call.texts('activations') ?? new Array<string[]>(directions).fill(defaults).flat();
  const count = defaults.length;
  if (names.length !== directions * count)
    throw new Error(`it has ${names.length} activations, but must have ${directions * count}`);
  const [alphas, betas] = ['activation_alpha', 'activation_beta'].map((name) => [...(call.list(name) ?? [])]);
  const functions = names.map((name): Activation => {
    // Names are not case-sensitive.
    const key = name.toLowerCase();
    if (Object.hasOwn(plain, key)) return plain[key]!;
    const known = Object.hasOwn(parametric, key) ? parametric[key] : undefined;
    if (!known) throw new Error(`its activation ${name} is not supported`);
    const alpha = alphas!.shift() ?? known.alpha;
    return known.make(alpha, known.beta === undefined ? 0 : (betas!.shift() ?? known.beta));
  });
  const each = Array.from({ length: directions }, (_, side) =>
    functions.slice(side * count, (side + 1) * count),
  );
  const isPlain = names.every((name) => Object.hasOwn(plain, name.toLowerCase()));
  return { each, plainActivations: isPlain ? names : undefined };
}
