import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { dropout } from '../ops/dropout.ts';
import { linear } from '../ops/linear.ts';
import { type Cell, recurrent as run } from '../ops/recurrent.ts';
import type { CellActivations } from '../ops/recurrent-cells.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { type Activation, activationOf } from './activation.ts';
import { glorotUniform, orthogonal, zeros } from './initializers.ts';
import type { KernelOptions } from './kernel.ts';
import {
  defineLayer,
  type ForwardContext,
  type Initializer,
  type Layer,
  type Parameter,
  type Regularizer,
  requireRank,
} from './layer.ts';
import { applyOperator, hasOperator, type RecurrentOperator } from './recurrent-operator.ts';
import { regularizeActivity } from './regularizers.ts';

/** What LSTM, GRU and SimpleRNN have in common, with Keras' defaults. */
export interface RecurrentOptions extends KernelOptions {
  recurrentInitializer?: Initializer;
  recurrentRegularizer?: Regularizer;
  /** Gives the output of every time step rather than the last. */
  returnSequences?: boolean;
  /** Begins with the last time step; sequences come out in that order too. */
  goBackwards?: boolean;
  /** The share of the inputs that is dropped while training, the same ones in all time steps. */
  dropout?: number;
}

/** A layer that `bidirectional` can run the other way too. */
export interface RecurrentLayer extends Layer {
  readonly returnSequences: boolean;
  readonly units: number;
  reversed(): RecurrentLayer;
}

/** What tells one kind of recurrent layer from another. */
export interface Kind {
  type: string;
  gates: number;
  /** How many parts the state has. */
  parts: number;
  /** Given where it is more than one row of `gates * units` numbers. */
  biasShape?: number[];
  biasInitializer?: Initializer;
  /** The bias that is added to all inputs at once, before the steps; the whole by default. */
  inputBias?(bias: Value): Value;
  cell(weights: { recurrentKernel: Value; bias: Value | undefined }, activations: CellActivations): Cell;
  /** Where nothing is trained. */
  operator: RecurrentOperator;
}

/** A layer over the time steps of [N, T, channels]. `again` makes the same layer with other options. */
export function recurrentLayer<O extends RecurrentOptions & { recurrentActivation?: Activation }>(
  kind: Kind,
  units: number,
  options: O,
  again: (options: O) => RecurrentLayer,
): RecurrentLayer {
  const { returnSequences = false, goBackwards = false, useBias = true, dropout: rate = 0 } = options;
  const functions = {
    activation: activationOf(options.activation ?? 'tanh'),
    recurrentActivation: activationOf(options.recurrentActivation ?? 'sigmoid'),
  };

  const operatorOptions = { units, goBackwards, returnSequences, ...functions };
  const mayUseOperator = hasOperator(kind.operator, operatorOptions);

  function compute(x: Value, parameters: Value[], context: ForwardContext): Value {
    const y = computeOutputs(x, parameters, context);
    return regularizeActivity(y, options.activityRegularizer, context);
  }

  function computeOutputs(x: Value, parameters: Value[], context: ForwardContext): Value {
    if (!context.isTraining && mayUseOperator && !context.masks[0])
      return applyOperator(kind.operator, x, parameters, operatorOptions);
    const [kernel, recurrentKernel, bias] = parameters;
    const seen = context.isTraining && rate > 0 ? dropSteps(x, rate, context) : x;
    const product = linear(seen, kernel!);
    const inputBias = bias && (kind.inputBias?.(bias) ?? bias);
    const cell = kind.cell(
      { recurrentKernel: recurrentKernel!, bias },
      {
        activation: functions.activation.forward,
        recurrentActivation: functions.recurrentActivation.forward,
      },
    );
    return run(inputBias ? addBias(product, inputBias) : product, cell, {
      units,
      parts: kind.parts,
      goBackwards,
      returnSequences,
      mask: context.masks[0],
    });
  }

  const layer: Layer = defineLayer({
    type: kind.type,
    name: options.name,
    trainable: options.trainable,
    config: { units, ...(options as RecurrentOptions) },
    masking: returnSequences ? ('passes' as const) : () => undefined,
    outputShape(input: Shape): Shape {
      requireRank(`${kind.type}(${units})`, input, 3, 'give sequences as [N, steps, channels]');
      return returnSequences ? ['N', input[1]!, units] : ['N', units];
    },
    parameters(input: Shape): Parameter[] {
      const width = kind.gates * units;
      const kernel = {
        name: 'kernel',
        shape: [input[2] as number, width],
        initializer: options.kernelInitializer ?? glorotUniform,
        regularizer: options.kernelRegularizer,
      };
      const recurrentKernel = {
        name: 'recurrent_kernel',
        shape: [units, width],
        initializer: options.recurrentInitializer ?? orthogonal(),
        regularizer: options.recurrentRegularizer,
      };
      const bias = {
        name: 'bias',
        shape: kind.biasShape ?? [width],
        initializer: options.biasInitializer ?? kind.biasInitializer ?? zeros,
        regularizer: options.biasRegularizer,
      };
      return useBias ? [kernel, recurrentKernel, bias] : [kernel, recurrentKernel];
    },
    forward: compute,
    infer: compute,
  });
  return Object.assign(layer, {
    returnSequences,
    units,
    reversed: () => again({ ...options, goBackwards: !goBackwards }),
  });
}

function dropSteps(x: Value, rate: number, { random }: ForwardContext): Value {
  return dropout(x, rate, random(onnx.slice(x, 1, 0, 1), 'uniform'));
}
