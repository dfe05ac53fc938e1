import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { concatenate } from '../ops/concatenate.ts';
import { conv2d as convolve } from '../ops/conv2d.ts';
import { split } from '../ops/slice.ts';
import { slide, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import { type Shape, ShapeError } from '../shape.ts';
import { type ActivationFunction, activationOf } from './activation.ts';
import { type KernelOptions, kernelAndBias } from './kernel.ts';
import {
  defineLayer,
  type ForwardContext,
  type Layer,
  type LayerDefinition,
  type Parameter,
  requireRank,
} from './layer.ts';
import { regularizeActivity } from './regularizers.ts';

export interface Conv2DOptions extends KernelOptions {
  strides?: number | [number, number];
  padding?: 'valid' | 'same';
  dilationRate?: number | [number, number];
  /** Into how many parts channels and filters are divided, each part seeing only its own. */
  groups?: number;
}

/** Convolution over images; kernel [kH, kW, channels, filters], bias [filters], as Keras' Conv2D
 * (https://keras.io/api/layers/convolution_layers/convolution2d/). */
export function conv2d(
  filters: number,
  kernelSize: number | [number, number],
  options: Conv2DOptions = {},
): Conv2D & Layer {
  return defineLayer(new Conv2D(filters, pair(kernelSize), options));
}

export class Conv2D implements LayerDefinition {
  readonly type = 'Conv2D';
  readonly name: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly activation: ActivationFunction;
  readonly filters: number;
  readonly kernelSize: [number, number];
  readonly groups: number;
  readonly trainable: boolean | undefined;
  readonly #options: Conv2DOptions;

  constructor(filters: number, kernelSize: [number, number], options: Conv2DOptions) {
    this.filters = filters;
    this.kernelSize = kernelSize;
    this.groups = options.groups ?? 1;
    this.name = options.name;
    this.trainable = options.trainable;
    this.config = { filters, kernelSize, ...options };
    this.activation = activationOf(options.activation ?? 'linear');
    this.#options = options;
  }

  window(input: Shape): Window {
    const { strides = 1, dilationRate = 1, padding = 'valid' } = this.#options;
    const [height, width] = [input[1] as number, input[2] as number];
    return {
      height,
      width,
      kernel: this.kernelSize,
      strides: pair(strides),
      dilation: pair(dilationRate),
      padding,
    };
  }

  outputShape(input: Shape): Shape {
    const title = `Conv2D(${this.filters}, ${this.kernelSize.join('x')})`;
    requireRank(title, input, 4, 'give images as [N, height, width, channels]');
    const { outHeight, outWidth } = slide(this.window(input));
    if (outHeight < 1 || outWidth < 1) {
      throw new ShapeError(
        `${title} does not fit into ${input[1]}x${input[2]} pixels, got [${input.join(', ')}]: ` +
          "use padding: 'same', a smaller kernel or less pooling before it",
      );
    }
    for (const [what, count] of [
      ['channels', input[3] as number],
      ['filters', this.filters],
    ] as const) {
      if (count % this.groups !== 0) {
        throw new ShapeError(`${title}: ${count} ${what} cannot be divided into ${this.groups} groups`);
      }
    }
    return ['N', outHeight, outWidth, this.filters];
  }

  parameters(input: Shape): Parameter[] {
    const shape = [...this.kernelSize, (input[3] as number) / this.groups, this.filters];
    return kernelAndBias(shape, this.filters, this.#options);
  }

  forward(x: Value, [kernel, bias]: Value[], context: ForwardContext): Value {
    const y = this.finish(convolveGroups(x, kernel!, this.window(x.shape), this.groups), bias);
    return regularizeActivity(y, this.#options.activityRegularizer, context);
  }

  /** Whether `finish` may come after the pooling of the layer behind this one. */
  get canBeFused(): boolean {
    return this.activation.isMonotone && this.groups === 1 && !this.#options.activityRegularizer;
  }

  /** Bias and activation; the bias, and an activation that is monotone, may as well come after max pooling. */
  finish(convolved: Value, bias: Value | undefined): Value {
    return this.activation.forward(bias ? addBias(convolved, bias) : convolved);
  }

  infer(x: Value, [kernel, bias]: Value[]): Value {
    const window = this.window(x.shape);
    const { outHeight, outWidth, padTop, padLeft, padBottom, padRight } = slide(window);
    const attributes = {
      strides: [...window.strides],
      dilations: [...window.dilation],
      group: this.groups,
      pads: [padTop, padLeft, padBottom, padRight],
    };
    const shape = ['N', this.filters, outHeight, outWidth] as const;
    const weights = onnx.transpose(kernel!, [3, 2, 0, 1]);
    const y = onnx.conv(toChannelsFirst(x), weights, bias, shape, attributes);
    // Softmax goes over the last axis, which must be the channels'; for the others the place is free.
    if (this.activation.name === 'softmax') return this.activation.infer(toChannelsLast(y));
    return toChannelsLast(this.activation.infer(y));
  }
}

function convolveGroups(x: Value, kernel: Value, window: Window, groups: number): Value {
  if (groups === 1) return convolve(x, kernel, window);
  const kernels = split(kernel, groups);
  const parts = split(x, groups).map((part, index) => convolve(part, kernels[index]!, window));
  return concatenate(parts, 3);
}

export const toChannelsFirst = (x: Value): Value => onnx.transpose(x, [0, 3, 1, 2]);
export const toChannelsLast = (x: Value): Value => onnx.transpose(x, [0, 2, 3, 1]);

export function pair(value: number | [number, number]): [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}
