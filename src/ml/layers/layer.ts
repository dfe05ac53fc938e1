import type { Value } from '../graph.ts';
import { type Shape, ShapeError } from '../shape.ts';

/** Starting values of a parameter, from its shape and a seeded generator. */
export type Initializer = (shape: readonly number[], random: () => number) => Float32Array;

export interface Parameter {
  name: string;
  shape: number[];
  initializer: Initializer;
  /** False for what the layer sets itself while training; true by default. */
  isTrainable?: boolean;
}

export interface ForwardContext {
  /** Whether this is a training step: dropout acts then only. */
  isTraining: boolean;
  seed: number;
  /** In a training step, gives a parameter that is not trainable its value after the step. */
  assign(parameter: Value, next: Value): void;
}

/** One layer of a model; images are [N, height, width, channels]. */
export interface Layer {
  /** Keras' class name. */
  readonly type: string;
  /** The name given by the user; a model makes one up where there is none. */
  readonly name: string | undefined;
  /** The arguments that it was made with, by their own names, for `src/ml/keras` to write to a file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** @throws ShapeError where the layer cannot take this input. */
  outputShape(input: Shape): Shape;
  parameters(input: Shape): Parameter[];
  /** Builds the layer of differentiable ops. */
  forward(x: Value, parameters: Value[], context: ForwardContext): Value;
  /** Builds the layer of ONNX's own operators, which onnxruntime runs fastest when weights are constant. */
  infer(x: Value, parameters: Value[]): Value;
}

/** "Conv2D(64, 3) needs a 4-D input, got [N, 10]: hint" */
export function requireRank(layer: string, input: Shape, rank: number, hint: string): void {
  if (input.length === rank) return;
  throw new ShapeError(`${layer} needs a ${rank}-D input, got [${input.join(', ')}]: ${hint}`);
}
