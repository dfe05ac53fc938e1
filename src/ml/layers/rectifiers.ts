import type { Value } from '../graph.ts';
import { relu as plainRelu, softmax as softmaxOverLast } from '../ops/activations.ts';
import { add, multiply } from '../ops/arithmetic.ts';
import { clippedRelu, negativePart } from '../ops/rectify.ts';
import { transpose } from '../ops/transpose.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { zeros } from './initializers.ts';
import {
  defineLayer,
  type Initializer,
  type Layer,
  type LayerOptions,
  type Regularizer,
  sameShapeLayer,
} from './layer.ts';

export interface ReLUOptions extends LayerOptions {
  maxValue?: number;
  negativeSlope?: number;
  threshold?: number;
}

/** x from `threshold` on, at most `maxValue`, and `negativeSlope * (x - threshold)` below, as Keras' ReLU
 * (https://keras.io/api/layers/activation_layers/relu/). */
export function relu({ name, ...options }: ReLUOptions = {}): Layer {
  const { maxValue = Infinity, negativeSlope = 0, threshold = 0 } = options;
  const forward = (x: Value): Value => clippedRelu(x, { maxValue, negativeSlope, threshold });
  return elementwise('ReLU', options, name, forward);
}

/** Numbers above 0 that sum to 1 along an axis, as Keras' Softmax
 * (https://keras.io/api/layers/activation_layers/softmax/). */
export function softmax({ axis = -1, name }: LayerOptions & { axis?: number } = {}): Layer {
  const forward = (x: Value): Value => {
    const rank = x.shape.length;
    const at = axis < 0 ? axis + rank : axis;
    if (at < 1 || at >= rank) {
      throw new ShapeError(
        `Softmax(axis ${axis}) does not fit ${formatShape(x.shape)}: take an axis from 1 on`,
      );
    }
    if (at === rank - 1) return softmaxOverLast(x);
    const order = x.shape
      .map((_, index) => index)
      .with(at, rank - 1)
      .with(rank - 1, at);
    return transpose(softmaxOverLast(transpose(x, order)), order);
  };
  return elementwise('Softmax', { axis }, name, forward);
}

function elementwise(
  type: string,
  config: Record<string, unknown>,
  name: string | undefined,
  forward: (x: Value) => Value,
): Layer {
  return sameShapeLayer({ type, name, config, forward, infer: forward });
}

export interface PReLUOptions extends LayerOptions {
  alphaInitializer?: Initializer;
  alphaRegularizer?: Regularizer;
  /** Axes, from 1 on, along which the slopes are the same. */
  sharedAxes?: number[];
}

/** x where it is positive, else a trained slope times x (He et al., 2015), as Keras' PReLU
 * (https://keras.io/api/layers/activation_layers/prelu/). */
export function prelu(options: PReLUOptions = {}): Layer {
  const { alphaInitializer = zeros, alphaRegularizer, sharedAxes = [] } = options;
  const forward = (x: Value, [alpha]: Value[]): Value => add(plainRelu(x), multiply(negativePart(x), alpha!));
  return defineLayer({
    type: 'PReLU',
    name: options.name,
    trainable: options.trainable,
    config: { ...options },
    masking: 'passes',
    outputShape: (input: Shape) => input,
    parameters: (input: Shape) => [
      {
        name: 'alpha',
        shape: input.slice(1).map((dim, index) => (sharedAxes.includes(index + 1) ? 1 : (dim as number))),
        initializer: alphaInitializer,
        regularizer: alphaRegularizer,
      },
    ],
    forward,
    infer: forward,
  });
}
