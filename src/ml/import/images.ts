/** ONNX's operators over images [N, C, H, W], of the ops over [N, H, W, C]. */
import type { Value } from '../graph.ts';
import { multiply } from '../ops/arithmetic.ts';
import { averagePool2d } from '../ops/average-pool2d.ts';
import { addBias } from '../ops/bias.ts';
import { conv2d } from '../ops/conv2d.ts';
import { maxPool2d } from '../ops/max-pool2d.ts';
import { slide, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { concat, pad, transpose } from './structure.ts';

/** A window of explicit padding, which ONNX has and Keras has not. */
export interface Sliding {
  kernel: [number, number];
  strides: [number, number];
  dilation: [number, number];
  /** top, left, bottom, right; what rounding up adds is in it. */
  pads: [number, number, number, number];
}

/** Positions times cells that an index table may have: more needs too much memory to train. */
const tableMax = 2 ** 24;

/** Below every pixel, and still finite: padding must not win. */
const lowest = -3.4e38;

const toChannelsLast = (x: Value): Value => transpose(x, [0, 2, 3, 1]);
const toChannelsFirst = (x: Value): Value => transpose(x, [0, 3, 1, 2]);

/** The window over an image that is padded already. */
function windowOver(
  shape: Shape,
  { kernel, strides, dilation, pads: [top, left, bottom, right] }: Sliding,
): Window {
  const height = (shape[2] as number) + top + bottom;
  const width = (shape[3] as number) + left + right;
  const window: Window = { height, width, kernel, strides, dilation, padding: 'valid' };
  const { outHeight, outWidth } = slide(window);
  if (outHeight < 1 || outWidth < 1)
    throw new Error(`its window ${kernel.join('x')} does not fit into ${height}x${width}`);
  if (outHeight * outWidth * kernel[0] * kernel[1] > tableMax)
    throw new Error(`an image of ${height}x${width} is too large to train on`);
  return window;
}

const padImage = (x: Value, [top, left, bottom, right]: Sliding['pads'], fill = 0): Value =>
  pad(x, [0, 0, top, left], [0, 0, bottom, right], fill);

/** x [N, C, H, W] by kernel [O, C / groups, kH, kW]. Groups are one convolution with zeros between them. */
export function convolve(
  x: Value,
  kernel: Value,
  bias: Value | undefined,
  sliding: Sliding,
  groups: number,
): Value {
  const window = windowOver(x.shape, sliding);
  const last = transpose(kernel, [2, 3, 1, 0]);
  const full = groups === 1 ? last : spread(last, groups);
  const y = conv2d(toChannelsLast(padImage(x, sliding.pads)), full, window);
  return toChannelsFirst(bias ? addBias(y, bias) : y);
}

/** A grouped kernel [kH, kW, C / groups, O] as [kH, kW, C, O]. */
function spread(kernel: Value, groups: number): Value {
  const [, , channels, filters] = kernel.shape as number[];
  const mask = Array.from({ length: channels! * groups * filters! }, (_, index) => {
    const group = Math.floor(Math.floor(index / filters!) / channels!);
    return Math.floor((index % filters!) / (filters! / groups)) === group ? 1 : 0;
  });
  const repeated = concat(new Array<Value>(groups).fill(kernel), 2);
  return multiply(repeated, kernel.graph.constant(mask, [channels! * groups, filters!]));
}

export function maxPool(x: Value, sliding: Sliding): Value {
  const window = windowOver(x.shape, sliding);
  return toChannelsFirst(maxPool2d(toChannelsLast(padImage(x, sliding.pads, lowest)), window));
}

/** The mean of each window; `counts` has of how many cells each window's sum is to be the mean. */
export function averagePool(x: Value, sliding: Sliding, counts: (window: Window) => number[]): Value {
  const window = windowOver(x.shape, sliding);
  const { outHeight, outWidth } = slide(window);
  const cells = sliding.kernel[0] * sliding.kernel[1];
  const shares = counts(window).map((count) => cells / count);
  const y = averagePool2d(toChannelsLast(padImage(x, sliding.pads)), window);
  const weighed = shares.every((share) => share === 1)
    ? y
    : multiply(y, x.graph.constant(shares, [outHeight, outWidth, 1]));
  return toChannelsFirst(weighed);
}

/** The shape of ONNX's own operator's output. */
export function slidOver(x: Value, sliding: Sliding, channels: number): Shape {
  const { outHeight, outWidth } = slide(windowOver(x.shape, sliding));
  return [x.shape[0]!, channels, outHeight, outWidth];
}

export const inferConvolution = (
  x: Value,
  kernel: Value,
  bias: Value | undefined,
  sliding: Sliding,
  groups: number,
): Value =>
  onnx.conv(x, kernel, bias, slidOver(x, sliding, kernel.shape[0] as number), {
    strides: sliding.strides,
    dilations: sliding.dilation,
    pads: sliding.pads,
    group: groups,
  });
