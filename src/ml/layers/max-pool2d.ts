import type { Value } from '../graph.ts';
import { maxPool2d as pool } from '../ops/max-pool2d.ts';
import { slide, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import { type Shape, ShapeError } from '../shape.ts';
import { pair, toChannelsFirst, toChannelsLast } from './conv2d.ts';
import { defineLayer, type Layer, type LayerDefinition, requireRank } from './layer.ts';

export interface MaxPool2DOptions {
  strides?: number | [number, number];
  padding?: 'valid' | 'same';
  name?: string;
}

/** The largest value of each window, as Keras' MaxPooling2D; the stride is the pool size by default
 * (https://keras.io/api/layers/pooling_layers/max_pooling2d/). */
export function maxPool2d(
  poolSize: number | [number, number] = 2,
  options: MaxPool2DOptions = {},
): MaxPool2D & Layer {
  return defineLayer(new MaxPool2D(pair(poolSize), options));
}

export class MaxPool2D implements LayerDefinition {
  readonly type = 'MaxPooling2D';
  readonly name: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly poolSize: [number, number];
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';

  constructor(poolSize: [number, number], { strides, padding = 'valid', name }: MaxPool2DOptions) {
    this.poolSize = poolSize;
    this.strides = strides === undefined ? poolSize : pair(strides);
    this.padding = padding;
    this.name = name;
    this.config = { poolSize, strides: this.strides, padding };
  }

  #window(input: Shape): Window {
    const { poolSize: kernel, strides, padding } = this;
    return {
      height: input[1] as number,
      width: input[2] as number,
      kernel,
      strides,
      padding,
      dilation: [1, 1],
    };
  }

  outputShape(input: Shape): Shape {
    const title = `MaxPooling2D(${this.poolSize.join('x')})`;
    requireRank(title, input, 4, 'give images as [N, height, width, channels]');
    const { outHeight, outWidth } = slide(this.#window(input));
    if (outHeight < 1 || outWidth < 1) {
      throw new ShapeError(`${title} does not fit into ${input[1]}x${input[2]} pixels: pool less before it`);
    }
    return ['N', outHeight, outWidth, input[3]!];
  }

  parameters(): [] {
    return [];
  }

  forward(x: Value): Value {
    return pool(x, this.#window(x.shape));
  }

  infer(x: Value): Value {
    const { outHeight, outWidth, padTop, padLeft, padBottom, padRight } = slide(this.#window(x.shape));
    const attributes = {
      kernel_shape: [...this.poolSize],
      strides: [...this.strides],
      pads: [padTop, padLeft, padBottom, padRight],
    };
    return toChannelsLast(
      onnx.maxPool(toChannelsFirst(x), ['N', x.shape[3]!, outHeight, outWidth], attributes),
    );
  }
}
