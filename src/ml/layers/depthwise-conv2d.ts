import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { conv2d as convolve } from '../ops/conv2d.ts';
import { depthwiseConv2d as convolveChannels } from '../ops/depthwise-conv2d.ts';
import { slide, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import { type Shape, ShapeError } from '../shape.ts';
import { activationOf } from './activation.ts';
import { pair, toChannelsFirst, toChannelsLast } from './conv2d.ts';
import { glorotUniform } from './initializers.ts';
import { biasOf, type KernelOptions } from './kernel.ts';
import {
  defineLayer,
  type Initializer,
  type Layer,
  type Parameter,
  type Regularizer,
  requireRank,
} from './layer.ts';
import { regularizeActivity } from './regularizers.ts';

interface DepthwiseOptions extends Omit<KernelOptions, 'kernelInitializer' | 'kernelRegularizer'> {
  strides?: number | [number, number];
  padding?: 'valid' | 'same';
  dilationRate?: number | [number, number];
  /** Outputs of each channel. */
  depthMultiplier?: number;
  depthwiseInitializer?: Initializer;
  depthwiseRegularizer?: Regularizer;
}

export interface DepthwiseConv2DOptions extends DepthwiseOptions {}

export interface SeparableConv2DOptions extends DepthwiseOptions {
  pointwiseInitializer?: Initializer;
  pointwiseRegularizer?: Regularizer;
}

/** Convolution of each channel on its own; kernel [kH, kW, channels, depthMultiplier], as Keras' DepthwiseConv2D
 * (https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/). */
export function depthwiseConv2d(
  kernelSize: number | [number, number],
  options: DepthwiseConv2DOptions = {},
): Layer {
  const activation = activationOf(options.activation ?? 'linear');
  const depthwise = depthwiseStage('DepthwiseConv2D', pair(kernelSize), options);
  const { useBias = true, depthMultiplier = 1 } = options;
  return defineLayer({
    type: 'DepthwiseConv2D',
    name: options.name,
    trainable: options.trainable,
    config: { kernelSize, ...options },
    outputShape: depthwise.outputShape,
    parameters(input: Shape): Parameter[] {
      const kernel = { ...depthwise.kernel(input), name: 'kernel' };
      return useBias ? [kernel, biasOf((input[3] as number) * depthMultiplier, options)] : [kernel];
    },
    forward(x, [kernel, bias], context) {
      const product = convolveChannels(x, kernel!, depthwise.window(x.shape));
      const y = activation.forward(bias ? addBias(product, bias) : product);
      return regularizeActivity(y, options.activityRegularizer, context);
    },
    infer: (x, [kernel, bias]) => activation.infer(toChannelsLast(depthwise.infer(x, kernel!, bias))),
  });
}

/** A depthwise convolution and then one of single pixels over all channels, as Keras' SeparableConv2D
 * (https://keras.io/api/layers/convolution_layers/separable_convolution2d/). */
export function separableConv2d(
  filters: number,
  kernelSize: number | [number, number],
  options: SeparableConv2DOptions = {},
): Layer {
  const activation = activationOf(options.activation ?? 'linear');
  const depthwise = depthwiseStage(`SeparableConv2D(${filters})`, pair(kernelSize), options);
  const { useBias = true, depthMultiplier = 1, pointwiseInitializer = glorotUniform } = options;
  return defineLayer({
    type: 'SeparableConv2D',
    name: options.name,
    trainable: options.trainable,
    config: { filters, kernelSize, ...options },
    outputShape: (input: Shape) => depthwise.outputShape(input).with(3, filters),
    parameters(input: Shape): Parameter[] {
      const pointwise = {
        name: 'pointwise_kernel',
        shape: [1, 1, (input[3] as number) * depthMultiplier, filters],
        initializer: pointwiseInitializer,
        regularizer: options.pointwiseRegularizer,
      };
      const kernels = [{ ...depthwise.kernel(input), name: 'depthwise_kernel' }, pointwise];
      return useBias ? [...kernels, biasOf(filters, options)] : kernels;
    },
    forward(x, [kernel, pointwise, bias], context) {
      const seen = convolveChannels(x, kernel!, depthwise.window(x.shape));
      const product = convolve(seen, pointwise!, pixelWindow(seen));
      const y = activation.forward(bias ? addBias(product, bias) : product);
      return regularizeActivity(y, options.activityRegularizer, context);
    },
    infer(x, [kernel, pointwise, bias]) {
      const seen = depthwise.infer(x, kernel!, undefined);
      const weights = onnx.transpose(pointwise!, [3, 2, 0, 1]);
      const y = onnx.conv(seen, weights, bias, seen.shape.with(1, filters), {});
      return activation.infer(toChannelsLast(y));
    },
  });
}

const pixelWindow = (x: Value): Window => ({
  height: x.shape[1] as number,
  width: x.shape[2] as number,
  kernel: [1, 1],
  strides: [1, 1],
  dilation: [1, 1],
  padding: 'valid',
});

function depthwiseStage(title: string, kernelSize: [number, number], options: DepthwiseOptions) {
  const { strides = 1, padding = 'valid', dilationRate = 1, depthMultiplier = 1 } = options;
  const window = (input: Shape): Window => ({
    height: input[1] as number,
    width: input[2] as number,
    kernel: kernelSize,
    strides: pair(strides),
    dilation: pair(dilationRate),
    padding,
  });
  return {
    window,
    outputShape(input: Shape): Shape {
      requireRank(title, input, 4, 'give images as [N, height, width, channels]');
      const { outHeight, outWidth } = slide(window(input));
      if (outHeight >= 1 && outWidth >= 1)
        return ['N', outHeight, outWidth, (input[3] as number) * depthMultiplier];
      throw new ShapeError(
        `${title} does not fit into ${input[1]}x${input[2]} pixels: use padding: 'same' or a smaller kernel`,
      );
    },
    kernel: (input: Shape) => ({
      shape: [...kernelSize, input[3] as number, depthMultiplier],
      initializer: options.depthwiseInitializer ?? glorotUniform,
      regularizer: options.depthwiseRegularizer,
    }),
    /** By ONNX's Conv with a group for each channel; channels come first. */
    infer(x: Value, kernel: Value, bias: Value | undefined): Value {
      const { outHeight, outWidth, padTop, padLeft, padBottom, padRight } = slide(window(x.shape));
      const channels = x.shape[3] as number;
      const outputs = channels * depthMultiplier;
      const weights = onnx.reshape(onnx.transpose(kernel, [2, 3, 0, 1]), [outputs, 1, ...kernelSize]);
      return onnx.conv(toChannelsFirst(x), weights, bias, ['N', outputs, outHeight, outWidth], {
        strides: pair(strides),
        dilations: pair(dilationRate),
        pads: [padTop, padLeft, padBottom, padRight],
        group: channels,
      });
    },
  };
}
