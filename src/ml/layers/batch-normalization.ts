import type { Value } from '../graph.ts';
import { divide, subtract } from '../ops/arithmetic.ts';
import { addBias } from '../ops/bias.ts';
import { multiplyGain } from '../ops/gain.ts';
import { reshape } from '../ops/reshape.ts';
import { standardize } from '../ops/standardize.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { toChannelsFirst, toChannelsLast } from './conv2d.ts';
import { ones, zeros } from './initializers.ts';
import {
  defineLayer,
  type ForwardContext,
  type Initializer,
  type Layer,
  type LayerOptions,
  type Parameter,
} from './layer.ts';

export interface BatchNormalizationOptions extends LayerOptions {
  /** The share of the moving statistics that a training step keeps. */
  momentum?: number;
  epsilon?: number;
  /** Whether to add a trained offset, beta. */
  center?: boolean;
  /** Whether to multiply by a trained gain, gamma. */
  scale?: boolean;
  betaInitializer?: Initializer;
  gammaInitializer?: Initializer;
  movingMeanInitializer?: Initializer;
  movingVarianceInitializer?: Initializer;
}

/** Each channel to mean 0 and variance 1: over the batch while training, by moving statistics otherwise, as
 * Keras' BatchNormalization with axis -1
 * (https://keras.io/api/layers/normalization_layers/batch_normalization/). */
export function batchNormalization(options: BatchNormalizationOptions = {}): Layer {
  const { momentum = 0.99, epsilon = 1e-3, center = true, scale = true } = options;
  const assign = (parameters: Value[]) => ({
    gamma: scale ? parameters[0] : undefined,
    beta: center ? parameters.at(-3) : undefined,
    mean: parameters.at(-2)!,
    variance: parameters.at(-1)!,
  });
  const layer: Layer = defineLayer({
    type: 'BatchNormalization',
    name: options.name,
    trainable: options.trainable,
    masking: 'passes',
    config: { ...options },
    outputShape: (input) => input,
    parameters: (input) => parametersFor(input, { ...options, center, scale }),
    forward(x: Value, parameters: Value[], context: ForwardContext): Value {
      const { gamma, beta, mean, variance } = assign(parameters);
      const rows = x.shape.length === 2 ? x : reshape(x, onnx.toRows(x).shape);
      const standard =
        context.isTraining && layer.trainable ? overBatch(rows) : byMovingStatistics(rows, mean, variance);
      const scaled = gamma ? multiplyGain(standard, gamma) : standard;
      const y = beta ? addBias(scaled, beta) : scaled;
      return x.shape.length === 2 ? y : reshape(y, x.shape);

      function overBatch(rows: Value): Value {
        const batch = standardize(rows, 0, epsilon);
        context.assign(mean, blend(mean, batch.mean));
        context.assign(variance, blend(variance, batch.variance));
        return batch.y;
      }
    },
    infer(x: Value, parameters: Value[]): Value {
      const { gamma, beta, mean, variance } = assign(parameters);
      const filled = (value: number) =>
        x.graph.constant(new Array<number>(x.shape.at(-1) as number).fill(value));
      const statistics = [gamma ?? filled(1), beta ?? filled(0), mean, variance];
      const normalize = (value: Value) => onnx.batchNormalization(value, statistics, epsilon);
      if (x.shape.length === 4) return toChannelsLast(normalize(toChannelsFirst(x)));
      return onnx.reshape(normalize(onnx.toRows(x)), x.shape);
    },
  });
  return layer;

  function blend(moving: Value, fresh: Value): Value {
    const constant = (value: number) => moving.graph.constant(value);
    const flat = onnx.reshape(fresh, moving.shape);
    return onnx.add(onnx.mul(moving, constant(momentum)), onnx.mul(flat, constant(1 - momentum)));
  }

  /** For evaluation, and for a frozen layer, as in Keras. The statistics get no gradient. */
  function byMovingStatistics(rows: Value, mean: Value, variance: Value): Value {
    const deviation = onnx.sqrt(onnx.add(variance, rows.graph.constant(epsilon)));
    return divide(subtract(rows, mean), deviation);
  }
}

function parametersFor(input: Shape, options: BatchNormalizationOptions): Parameter[] {
  const shape = [input.at(-1) as number];
  const trained = (name: string, initializer: Initializer) => ({ name, shape, initializer });
  const moving = (name: string, initializer: Initializer) => ({
    name,
    shape,
    initializer,
    isTrainable: false,
  });
  return [
    ...(options.scale ? [trained('gamma', options.gammaInitializer ?? ones)] : []),
    ...(options.center ? [trained('beta', options.betaInitializer ?? zeros)] : []),
    moving('moving_mean', options.movingMeanInitializer ?? zeros),
    moving('moving_variance', options.movingVarianceInitializer ?? ones),
  ];
}
