import type { Value } from '../graph.ts';
import { reshape } from '../ops/reshape.ts';
import * as onnx from '../primitives.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { averagePooling2d } from './average-pooling2d.ts';
import { type Conv2DOptions, conv2d } from './conv2d.ts';
import { cropping2d } from './cropping2d.ts';
import { defineLayer, type Layer, type LayerOptions } from './layer.ts';
import { maxPool2d } from './max-pool2d.ts';
import { upSampling2d } from './up-sampling2d.ts';
import { zeroPadding2d } from './zero-padding2d.ts';

export interface Conv1DOptions extends Omit<Conv2DOptions, 'strides' | 'dilationRate' | 'padding'> {
  strides?: number;
  /** 'causal' lets no output see steps after its own. */
  padding?: 'valid' | 'same' | 'causal';
  dilationRate?: number;
}

/** Convolution over the steps of [N, steps, channels]; kernel [size, channels, filters], as Keras' Conv1D
 * (https://keras.io/api/layers/convolution_layers/convolution1d/). */
export function conv1d(filters: number, kernelSize: number, options: Conv1DOptions = {}): Layer {
  const { strides = 1, padding = 'valid', dilationRate = 1 } = options;
  const isCausal = padding === 'causal';
  const flat = conv2d(filters, [1, kernelSize], {
    ...options,
    strides: [1, strides],
    dilationRate: [1, dilationRate],
    padding: isCausal ? 'valid' : padding,
  });
  const before = zeroPadding2d([
    [0, 0],
    [isCausal ? (kernelSize - 1) * dilationRate : 0, 0],
  ]);
  return overRows('Conv1D', { filters, kernelSize, ...options }, isCausal ? [before, flat] : [flat], options);
}

export interface Pooling1DOptions extends LayerOptions {
  strides?: number;
  padding?: 'valid' | 'same';
}

/** The largest of each window of steps, as Keras' MaxPooling1D
 * (https://keras.io/api/layers/pooling_layers/max_pooling1d/). */
export function maxPooling1d(poolSize = 2, options: Pooling1DOptions = {}): Layer {
  const { strides = poolSize, padding = 'valid' } = options;
  const flat = maxPool2d([1, poolSize], { strides: [1, strides], padding });
  return overRows('MaxPooling1D', { poolSize, ...options }, [flat], options);
}

/** The mean of each window of steps, as Keras' AveragePooling1D; padding does not count
 * (https://keras.io/api/layers/pooling_layers/average_pooling1d/). */
export function averagePooling1d(poolSize: number, options: Pooling1DOptions = {}): Layer {
  const { strides = poolSize, padding = 'valid' } = options;
  const flat = averagePooling2d([1, poolSize], { strides: [1, strides], padding });
  return overRows('AveragePooling1D', { poolSize, ...options }, [flat], options);
}

/** Each step several times, as Keras' UpSampling1D. */
export const upSampling1d = (size = 2, options: LayerOptions = {}): Layer =>
  overRows('UpSampling1D', { size, ...options }, [upSampling2d([1, size])], options);

/** Steps of zeros before and after, as Keras' ZeroPadding1D. */
export const zeroPadding1d = (padding: number | [number, number] = 1, options: LayerOptions = {}): Layer =>
  overRows('ZeroPadding1D', { padding, ...options }, [zeroPadding2d([[0, 0], both(padding)])], options);

/** Without the first and the last steps, as Keras' Cropping1D. */
export const cropping1d = (cropping: number | [number, number] = 1, options: LayerOptions = {}): Layer =>
  overRows('Cropping1D', { cropping, ...options }, [cropping2d([[0, 0], both(cropping)])], options);

const both = (counts: number | [number, number]): [number, number] =>
  typeof counts === 'number' ? [counts, counts] : counts;

/** Layers for images, applied to sequences as images of one row. The last of them may have parameters, whose kernels
 * then lose the axis of the rows. */
function overRows(
  type: string,
  config: Record<string, unknown>,
  layers: Layer[],
  { name, trainable }: LayerOptions,
): Layer {
  const asRow = (shape: Shape): Shape => ['N', 1, ...shape.slice(1)];
  const last = layers.at(-1)!;
  const through = (some: Layer[], input: Shape): Shape =>
    some.reduce((shape, layer) => layer.outputShape(shape), asRow(input));
  const parametersOf = (input: Shape) => last.parameters(through(layers.slice(0, -1), input));
  const run = (how: 'forward' | 'infer', changeShape: typeof reshape): Layer['forward'] => {
    return (x, parameters, context) => {
      const own = parametersOf(x.shape);
      const restored = parameters.map((value, index) => changeShape(value, own[index]!.shape));
      const y = layers.reduce<Value>(
        (value, layer) => layer[how](value, layer === last ? restored : [], { ...context, inputs: [value] }),
        changeShape(x, asRow(x.shape)),
      );
      return changeShape(y, ['N', ...y.shape.slice(2)]);
    };
  };
  return defineLayer({
    type,
    name,
    trainable,
    config,
    outputShape(input: Shape): Shape {
      if (input.length !== 3) {
        throw new ShapeError(
          `${type} needs a 3-D input, got ${formatShape(input)}: give sequences as [N, steps, channels]`,
        );
      }
      return ['N', ...through(layers, input).slice(2)];
    },
    parameters: (input: Shape) =>
      parametersOf(input).map((parameter) =>
        parameter.shape.length === 4 ? { ...parameter, shape: parameter.shape.slice(1) } : parameter,
      ),
    forward: run('forward', reshape),
    infer: run('infer', onnx.reshape),
  });
}
