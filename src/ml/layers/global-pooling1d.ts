import type { Value } from '../graph.ts';
import { divide, multiply } from '../ops/arithmetic.ts';
import { globalMaxPool2d } from '../ops/global-pool2d.ts';
import { reduceSum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { defineLayer, type ForwardContext, type Layer, type LayerOptions, requireRank } from './layer.ts';

export interface GlobalPooling1DOptions extends LayerOptions {
  /** Gives [N, 1, channels] instead of [N, channels]. */
  keepDims?: boolean;
}

/** The mean over all steps, or over those that the mask leaves, as Keras' GlobalAveragePooling1D
 * (https://keras.io/api/layers/pooling_layers/global_average_pooling1d/). */
export const globalAveragePooling1d = (options: GlobalPooling1DOptions = {}): Layer =>
  globalPooling('GlobalAveragePooling1D', mean, options);

/** The largest over all steps, as Keras' GlobalMaxPooling1D
 * (https://keras.io/api/layers/pooling_layers/global_max_pooling1d/). */
export const globalMaxPooling1d = (options: GlobalPooling1DOptions = {}): Layer =>
  globalPooling(
    'GlobalMaxPooling1D',
    (x) => globalMaxPool2d(reshape(x, ['N', 1, ...x.shape.slice(1)])),
    options,
  );

function mean(x: Value, { masks: [mask] }: ForwardContext): Value {
  const steps = x.shape[1] as number;
  if (!mask) return multiply(reduceSum(x, 1), x.graph.constant(1 / steps));
  const kept = reduceSum(multiply(x, onnx.reshape(mask, ['N', steps, 1])), 1);
  return divide(kept, onnx.reduceSum(mask, 1, { keepDims: true }));
}

function globalPooling(
  type: string,
  pool: (x: Value, context: ForwardContext) => Value,
  { keepDims = false, name }: GlobalPooling1DOptions,
): Layer {
  const outputShape = (input: Shape): Shape => {
    requireRank(type, input, 3, 'give sequences as [N, steps, channels]');
    return keepDims ? ['N', 1, input[2]!] : ['N', input[2]!];
  };
  const forward: Layer['forward'] = (x, _parameters, context) =>
    reshape(pool(x, context), outputShape(x.shape));
  return defineLayer({
    type,
    name,
    config: { keepDims },
    outputShape,
    parameters: () => [],
    forward,
    infer: forward,
  });
}
