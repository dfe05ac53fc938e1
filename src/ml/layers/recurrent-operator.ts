import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { ActivationFunction } from './activation.ts';

/** How a kind of recurrent layer is one of ONNX's operators. */
export interface RecurrentOperator {
  opType: 'LSTM' | 'GRU' | 'RNN';
  /** Keras' gates in the operator's order. */
  gates: readonly number[];
  /** How often the operator takes the activation, after the recurrent one if it has that. */
  activations: readonly ('activation' | 'recurrentActivation')[];
  linearBeforeReset?: boolean;
}

export interface OperatorOptions {
  units: number;
  goBackwards: boolean;
  returnSequences: boolean;
  activation: ActivationFunction;
  recurrentActivation: ActivationFunction;
}

/** Activations that the operators have without arguments. */
const operatorActivations: Partial<Record<ActivationFunction['name'], string>> = {
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  relu: 'Relu',
  softplus: 'Softplus',
};

/** Whether ONNX has an operator for these activations; none has Keras' masks. */
export const hasOperator = ({ activations }: RecurrentOperator, options: OperatorOptions): boolean =>
  activations.every((which) => operatorActivations[options[which].name]);

/** The layer on x [N, T, channels] as one node, however long the sequence is. The weights are Keras' and turned round in
 * the graph, which onnxruntime does once, as it loads it. */
export function applyOperator(
  operator: RecurrentOperator,
  x: Value,
  [kernel, recurrentKernel, bias]: Value[],
  options: OperatorOptions,
): Value {
  const { units, goBackwards, returnSequences } = options;
  const { opType, activations, linearBeforeReset } = operator;
  const inputs = [kernel!, recurrentKernel!].map((weights) => turned(operator, weights, units));
  const y = onnx.recurrent(
    opType,
    [onnx.transpose(x, [1, 0, 2]), ...inputs, ...(bias ? [biases(operator, bias, units)] : [])],
    { units, isSequence: returnSequences },
    {
      activations: activations.map((which) => operatorActivations[options[which].name]!),
      ...(goBackwards && { direction: 'reverse' }),
      ...(linearBeforeReset && { linear_before_reset: 1 }),
    },
  );
  const [batch, steps] = x.shape;
  if (!returnSequences) return onnx.reshape(y, [batch!, units]);
  const sequence = onnx.reshape(onnx.transpose(y, [2, 0, 1, 3]), [batch!, steps!, units]);
  return goBackwards ? inReverse(sequence) : sequence;
}

/** [C, gates * units] as [1, gates * units, C]. */
function turned({ gates }: RecurrentOperator, weights: Value, units: number): Value {
  const rows = onnx.transpose(inOrder(weights, gates, units), [1, 0]);
  return onnx.reshape(rows, [1, ...rows.shape]);
}

/** Keras' bias [gates * units] is of the inputs; one [2, gates * units] also of the state before. */
function biases({ gates }: RecurrentOperator, bias: Value, units: number): Value {
  const width = gates.length * units;
  const ordered = inOrder(bias, gates, units);
  if (bias.shape.length === 2) return onnx.reshape(ordered, [1, 2 * width]);
  return onnx.reshape(onnx.pad(ordered, 0, 0, width), [1, 2 * width]);
}

function inOrder(weights: Value, gates: readonly number[], units: number): Value {
  if (gates.every((gate, index) => gate === index)) return weights;
  const axis = weights.shape.length - 1;
  return onnx.concat(
    gates.map((gate) => onnx.slice(weights, axis, gate * units, (gate + 1) * units)),
    axis,
  );
}

function inReverse(x: Value): Value {
  const steps = x.shape[1] as number;
  const order = Array.from({ length: steps }, (_, step) => steps - 1 - step);
  return onnx.gather(x, order, [steps], 1);
}
