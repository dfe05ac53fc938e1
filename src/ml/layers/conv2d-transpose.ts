import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { conv2dTranspose as convolve } from '../ops/conv2d-transpose.ts';
import { slide, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { activationOf } from './activation.ts';
import { pair, toChannelsFirst, toChannelsLast } from './conv2d.ts';
import { type KernelOptions, kernelAndBias } from './kernel.ts';
import { defineLayer, type Layer, requireRank } from './layer.ts';
import { regularizeActivity } from './regularizers.ts';

export interface Conv2DTransposeOptions extends KernelOptions {
  strides?: number | [number, number];
  padding?: 'valid' | 'same';
}

/** A convolution's way back, which makes images larger; kernel [kH, kW, filters, channels], as Keras' Conv2DTranspose
 * (https://keras.io/api/layers/convolution_layers/convolution2d_transpose/). */
export function conv2dTranspose(
  filters: number,
  kernelSize: number | [number, number],
  options: Conv2DTransposeOptions = {},
): Layer {
  const { padding = 'valid' } = options;
  const kernel = pair(kernelSize);
  const strides = pair(options.strides ?? 1);
  const activation = activationOf(options.activation ?? 'linear');
  /** The window of the convolution from the output to x. */
  const windowOver = (input: Shape): Window => {
    const size = (axis: 0 | 1) => {
      const least = (input[axis + 1] as number) * strides[axis];
      return padding === 'same' ? least : least + Math.max(kernel[axis] - strides[axis], 0);
    };
    return { height: size(0), width: size(1), kernel, strides, dilation: [1, 1], padding };
  };
  return defineLayer({
    type: 'Conv2DTranspose',
    name: options.name,
    trainable: options.trainable,
    config: { filters, kernelSize, ...options },
    outputShape(input: Shape): Shape {
      const title = `Conv2DTranspose(${filters}, ${kernel.join('x')})`;
      requireRank(title, input, 4, 'give images as [N, height, width, channels]');
      const { height, width } = windowOver(input);
      return ['N', height, width, filters];
    },
    parameters: (input: Shape) => kernelAndBias([...kernel, filters, input[3] as number], filters, options),
    forward(x, [weights, bias], context) {
      const product = convolve(x, weights!, windowOver(x.shape));
      const y = activation.forward(bias ? addBias(product, bias) : product);
      return regularizeActivity(y, options.activityRegularizer, context);
    },
    infer(x: Value, [weights, bias]: Value[]): Value {
      const window = windowOver(x.shape);
      const { height, width } = window;
      const { padTop, padLeft, padBottom, padRight } = slide(window);
      const missing = (axis: 0 | 1, pads: number) =>
        [height, width][axis]! - (((x.shape[axis + 1] as number) - 1) * strides[axis] + kernel[axis] - pads);
      const attributes = {
        strides,
        pads: [padTop, padLeft, padBottom, padRight],
        output_padding: [missing(0, padTop + padBottom), missing(1, padLeft + padRight)],
      };
      const transposed = onnx.transpose(weights!, [3, 2, 0, 1]);
      const shape = ['N', filters, height, width] as const;
      return activation.infer(
        toChannelsLast(onnx.convTranspose(toChannelsFirst(x), transposed, bias, shape, attributes)),
      );
    },
  });
}
