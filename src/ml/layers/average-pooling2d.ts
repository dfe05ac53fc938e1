import type { Value } from '../graph.ts';
import { averagePool2d } from '../ops/average-pool2d.ts';
import { slide, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import { type Shape, ShapeError } from '../shape.ts';
import { pair, toChannelsFirst, toChannelsLast } from './conv2d.ts';
import { defineLayer, type Layer, requireRank } from './layer.ts';

export interface AveragePooling2DOptions {
  strides?: number | [number, number];
  padding?: 'valid' | 'same';
  name?: string;
}

/** The mean of each window, as Keras' AveragePooling2D; the stride is the pool size by default, and padding does
 * not count (https://keras.io/api/layers/pooling_layers/average_pooling2d/). */
export function averagePooling2d(
  poolSize: number | [number, number],
  { strides = poolSize, padding = 'valid', name }: AveragePooling2DOptions = {},
): Layer {
  const kernel = pair(poolSize);
  const title = `AveragePooling2D(${kernel.join('x')})`;
  const windowOver = (input: Shape): Window => ({
    height: input[1] as number,
    width: input[2] as number,
    kernel,
    strides: pair(strides),
    dilation: [1, 1],
    padding,
  });
  return defineLayer({
    type: 'AveragePooling2D',
    name,
    config: { poolSize, strides, padding },
    outputShape(input: Shape): Shape {
      requireRank(title, input, 4, 'give images as [N, height, width, channels]');
      const { outHeight, outWidth } = slide(windowOver(input));
      if (outHeight >= 1 && outWidth >= 1) return ['N', outHeight, outWidth, input[3]!];
      throw new ShapeError(`${title} does not fit into ${input[1]}x${input[2]} pixels: pool less before it`);
    },
    parameters: () => [],
    forward: (x: Value) => averagePool2d(x, windowOver(x.shape)),
    infer(x: Value): Value {
      const window = windowOver(x.shape);
      const { outHeight, outWidth, padTop, padLeft, padBottom, padRight } = slide(window);
      const attributes = {
        kernel_shape: kernel,
        strides: [...window.strides],
        pads: [padTop, padLeft, padBottom, padRight],
      };
      const shape = ['N', x.shape[3]!, outHeight, outWidth] as const;
      return toChannelsLast(onnx.averagePool(toChannelsFirst(x), shape, attributes));
    },
  });
}
