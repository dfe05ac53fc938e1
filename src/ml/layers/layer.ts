import type { Value } from '../graph.ts';
import { type Shape, ShapeError } from '../shape.ts';
import type { Input } from './input.ts';

/** Starting values of a parameter, from its shape and a seeded generator. */
export type Initializer = (shape: readonly number[], random: () => number) => Float32Array;

/** A loss that grows with a tensor's numbers. Made by `l1`, `l2` and `l1l2`. */
export interface Regularizer {
  readonly l1: number;
  readonly l2: number;
}

export interface Parameter {
  name: string;
  shape: number[];
  initializer: Initializer;
  /** False for what the layer sets itself while training; true by default. */
  isTrainable?: boolean;
  /** Added to the loss. */
  regularizer?: Regularizer | undefined;
}

export type RandomDistribution = 'uniform' | 'normal';

export interface ForwardContext {
  /** Whether this is a training step: dropout acts then only. */
  isTraining: boolean;
  /** Random numbers of the shape of `like`, fresh in every step and fixed by the model's seed: uniform in [0, 1),
   * or of the standard normal distribution. */
  random(like: Value, distribution: RandomDistribution): Value;
  /** All of the layer's inputs; the first is `x`. */
  inputs: readonly Value[];
  /** For each input [N, T, ...], 1 for the time steps that count and 0 for the others [N, T]; undefined: all count. */
  masks: readonly (Value | undefined)[];
  /** In a training step, gives a parameter that is not trainable its value after the step. */
  assign(parameter: Value, next: Value): void;
  /** Adds a scalar to the loss. */
  addLoss(loss: Value): void;
}

/** What a layer is; `defineLayer` makes a `Layer` of it. Images are [N, height, width, channels]. */
export interface LayerDefinition {
  /** Keras' class name. */
  readonly type: string;
  /** The name given by the user; a model makes one up where there is none. */
  readonly name: string | undefined;
  /** The arguments that it was made with, by their own names, for `src/ml/keras` to write to a file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The least and the greatest number of inputs; exactly one by default. */
  readonly inputCount?: readonly [least: number, most: number];
  /** Whether integers come as they are; they are cast to float32 otherwise. */
  readonly takesIntegers?: boolean;
  /** How a mask of time steps goes on: as it is, made anew, or not at all (by default). */
  readonly masking?: 'passes' | ((x: Value, context: ForwardContext) => Value | undefined);
  /** Whether the parameters are trained; true by default. */
  readonly trainable?: boolean | undefined;
  /** @throws ShapeError where the layer cannot take this input. */
  outputShape(input: Shape, ...others: Shape[]): Shape;
  parameters(input: Shape, ...others: Shape[]): Parameter[];
  /** Builds the layer of differentiable ops. */
  forward(x: Value, parameters: Value[], context: ForwardContext): Value;
  /** Builds the layer of ONNX's own operators, which onnxruntime runs fastest when weights are constant. */
  infer(x: Value, parameters: Value[], context: ForwardContext): Value;
}

export interface LayerOptions {
  name?: string;
  /** False freezes the layer's parameters; `layer.trainable` may be changed before compile(). */
  trainable?: boolean;
}

/** One layer of a model. */
export interface Layer extends LayerDefinition {
  trainable: boolean;
  /** The layer's output for these inputs, for `model({ inputs, outputs })`. Applied twice, it shares its weights.
   * @throws ShapeError where the layer cannot take them. */
  apply(...inputs: SymbolicTensor[]): SymbolicTensor;
}

/** A layer's output, known by its shape and computed when the model runs. */
export interface Application {
  readonly type: 'Application';
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  readonly outputShape: Shape;
}

export type SymbolicTensor = Input | Application;

export const shapeOf = (tensor: SymbolicTensor): Shape =>
  tensor.type === 'InputLayer' ? ['N', ...tensor.shape] : tensor.outputShape;

/** Makes a definition something that applies to symbolic tensors. */
export function defineLayer<T extends LayerDefinition>(definition: T): T & Layer {
  const { type, inputCount = [1, 1], trainable = true } = definition;
  return Object.assign(definition, {
    trainable,
    apply(this: Layer, ...inputs: SymbolicTensor[]): SymbolicTensor {
      checkInputCount(type, inputCount, inputs.length);
      const [first, ...others] = inputs.map(shapeOf);
      return { type: 'Application', layer: this, inputs, outputShape: this.outputShape(first!, ...others) };
    },
  });
}

/** A layer without parameters whose output has its input's shape, and passes its mask. */
export function sameShapeLayer(
  definition: Pick<LayerDefinition, 'type' | 'config' | 'name' | 'forward' | 'infer'>,
): Layer {
  return defineLayer({
    ...definition,
    masking: 'passes',
    outputShape: (input) => input,
    parameters: () => [],
  });
}

function checkInputCount(type: string, [least, most]: readonly [number, number], count: number): void {
  if (count >= least && count <= most) return;
  const expected = most === least ? `${least}` : `${least} ${most === Infinity ? 'or more' : `to ${most}`}`;
  throw new ShapeError(`${type} takes ${expected} input${expected === '1' ? '' : 's'}, got ${count}`);
}

/** "Conv2D(64, 3) needs a 4-D input, got [N, 10]: hint" */
export function requireRank(layer: string, input: Shape, rank: number, hint: string): void {
  if (input.length === rank) return;
  throw new ShapeError(`${layer} needs a ${rank}-D input, got [${input.join(', ')}]: ${hint}`);
}
