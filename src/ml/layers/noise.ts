import type { Value } from '../graph.ts';
import { add, multiply } from '../ops/arithmetic.ts';
import { dropout } from '../ops/dropout.ts';
import * as onnx from '../primitives.ts';
import { type ForwardContext, type Layer, type LayerOptions, requireRank, sameShapeLayer } from './layer.ts';

/** Adds normal noise while training, as Keras' GaussianNoise
 * (https://keras.io/api/layers/regularization_layers/gaussian_noise/). */
export function gaussianNoise(stddev: number, options: LayerOptions = {}): Layer {
  return whileTraining('GaussianNoise', { stddev }, options, (x, { random }) =>
    add(x, multiply(random(x, 'normal'), x.graph.constant(stddev))),
  );
}

/** Drops whole channels of sequences [N, steps, channels] while training, as Keras' SpatialDropout1D
 * (https://keras.io/api/layers/regularization_layers/spatial_dropout1d/). */
export const spatialDropout1d = (rate: number, options: LayerOptions = {}): Layer =>
  spatialDropout('SpatialDropout1D', 3, rate, options);

/** Drops whole channels of images while training, as Keras' SpatialDropout2D
 * (https://keras.io/api/layers/regularization_layers/spatial_dropout2d/). */
export const spatialDropout2d = (rate: number, options: LayerOptions = {}): Layer =>
  spatialDropout('SpatialDropout2D', 4, rate, options);

function spatialDropout(type: string, rank: number, rate: number, options: LayerOptions): Layer {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`${type}(${rate}): the rate must be from 0 to below 1`);
  const layer = whileTraining(type, { rate }, options, (x, { random }) => {
    if (rate === 0) return x;
    const one = x.shape
      .slice(1, -1)
      .reduce<Value>((value, _dim, index) => onnx.slice(value, index + 1, 0, 1), x);
    return dropout(x, rate, random(one, 'uniform'));
  });
  const { outputShape } = layer;
  return Object.assign(layer, {
    outputShape(...[input]: Parameters<typeof outputShape>) {
      requireRank(type, input, rank, rank === 4 ? 'use dropout() instead' : 'give [N, steps, channels]');
      return outputShape(input);
    },
  });
}

function whileTraining(
  type: string,
  config: Record<string, unknown>,
  { name }: LayerOptions,
  act: (x: Value, context: ForwardContext) => Value,
): Layer {
  return sameShapeLayer({
    type,
    name,
    config,
    forward: (x, _parameters, context) => (context.isTraining ? act(x, context) : x),
    infer: (x) => x,
  });
}
