import type { Value } from '../graph.ts';
import { globalAveragePool2d, globalMaxPool2d } from '../ops/global-pool2d.ts';
import { reshape } from '../ops/reshape.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { toChannelsFirst } from './conv2d.ts';
import { defineLayer, type Layer, requireRank } from './layer.ts';

export interface GlobalPooling2DOptions {
  /** Gives [N, 1, 1, channels] instead of [N, channels]. */
  keepDims?: boolean;
  name?: string;
}

/** The mean of each channel, as Keras' GlobalAveragePooling2D
 * (https://keras.io/api/layers/pooling_layers/global_average_pooling2d/). */
export const globalAveragePooling2d = (options: GlobalPooling2DOptions = {}): Layer =>
  globalPooling('GlobalAveragePooling2D', globalAveragePool2d, onnx.globalAveragePool, options);

/** The largest of each channel, as Keras' GlobalMaxPooling2D
 * (https://keras.io/api/layers/pooling_layers/global_max_pooling2d/). */
export const globalMaxPooling2d = (options: GlobalPooling2DOptions = {}): Layer =>
  globalPooling('GlobalMaxPooling2D', globalMaxPool2d, onnx.globalMaxPool, options);

function globalPooling(
  type: string,
  op: (x: Value) => Value,
  inferOp: (x: Value) => Value,
  { keepDims = false, name }: GlobalPooling2DOptions,
): Layer {
  const outputShape = (input: Shape): Shape => {
    requireRank(type, input, 4, 'give images as [N, height, width, channels]');
    return keepDims ? ['N', 1, 1, input[3]!] : ['N', input[3]!];
  };
  return defineLayer({
    type,
    name,
    config: { keepDims },
    outputShape,
    parameters: () => [],
    forward: (x) => reshape(op(x), outputShape(x.shape)),
    infer: (x) => onnx.reshape(inferOp(toChannelsFirst(x)), outputShape(x.shape)),
  });
}
