import type { Value } from '../graph.ts';
import { reshape } from '../ops/reshape.ts';
import { slide, table, type Window } from '../ops/window.ts';
import * as onnx from '../primitives.ts';
import type { Call } from './datum.ts';
import { averagePool, convolve, inferConvolution, maxPool, type Sliding, slidOver } from './images.ts';

export function convOperator(call: Call): Value {
  const [x, kernel] = [call.tensor(0), call.tensor(1)];
  const bias = call.has(2) ? call.tensor(2) : undefined;
  const groups = call.number('group', 1);
  const [filters, channels] = kernel.shape as number[];
  if (!Number.isInteger(filters! / groups) || channels! * groups !== x.shape[1]) {
    throw new Error(
      `kernel [${kernel.shape.join(', ')}] in ${groups} groups does not fit input [${x.shape.join(', ')}]`,
    );
  }
  return overImages(call, x, kernel.shape.slice(2) as number[], (image, sliding) => {
    const flat =
      kernel.shape.length === 3 ? reshape(kernel, [filters!, channels!, 1, kernel.shape[2]!]) : kernel;
    const build = call.isInference ? inferConvolution : convolve;
    return build(image, flat, bias, sliding, groups);
  });
}

export const maxPoolOperator = (call: Call): Value[] => {
  const x = call.tensor(0);
  return [
    overImages(call, x, kernelShape(call), (image, sliding) => {
      if (!call.isInference) return maxPool(image, sliding);
      const shape = slidOver(image, sliding, image.shape[1] as number);
      return onnx.maxPool(image, shape, {
        kernel_shape: sliding.kernel,
        strides: sliding.strides,
        dilations: sliding.dilation,
        pads: sliding.pads,
      });
    }),
  ];
};

export function averagePoolOperator(call: Call): Value {
  const x = call.tensor(0);
  const [, , bottom, right] = explicitPads(call, kernelShape(call).length === 1);
  const countsPadding = call.number('count_include_pad', 0) === 1;
  return overImages(call, x, kernelShape(call), (image, sliding) => {
    // What rounding up added never counts; the file's own padding does if it says so.
    const [first, column] = countsPadding ? [0, 0] : [sliding.pads[0], sliding.pads[1]];
    const height = (image.shape[2] as number) + sliding.pads[0] + (countsPadding ? bottom : 0);
    const width = (image.shape[3] as number) + sliding.pads[1] + (countsPadding ? right : 0);
    return averagePool(image, sliding, (window) => countCells(window, [first, column, height, width]));
  });
}

/** For each window, how many of its cells lie in the rectangle of rows and columns. */
function countCells(window: Window, [top, left, bottom, right]: [number, number, number, number]): number[] {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const cells = window.kernel[0] * window.kernel[1];
  return table([outHeight, outWidth], (outRow, outColumn) => {
    let count = 0;
    for (let cell = 0; cell < cells; cell += 1) {
      const index = inputIndex(
        outRow!,
        outColumn!,
        Math.floor(cell / window.kernel[1]),
        cell % window.kernel[1],
      );
      const [row, column] = [Math.floor(index / window.width), index % window.width];
      if (row >= top && row < bottom && column >= left && column < right) count += 1;
    }
    return Math.max(count, 1);
  });
}

function kernelShape(call: Call): number[] {
  const kernel = call.list('kernel_shape');
  if (kernel) return kernel;
  throw new Error('it has no kernel_shape');
}

/** Sequences [N, C, L] are images of one row. */
function overImages(
  call: Call,
  x: Value,
  kernel: number[],
  op: (image: Value, sliding: Sliding) => Value,
): Value {
  if (kernel.length > 2 || x.shape.length !== kernel.length + 2) {
    throw new Error(`its input is [${x.shape.join(', ')}]; supported are [N, C, L] and [N, C, H, W]`);
  }
  const isSequence = kernel.length === 1;
  const image = isSequence ? reshape(x, [x.shape[0]!, x.shape[1]!, 1, x.shape[2]!]) : x;
  const y = op(image, slidingOf(call, image, isSequence ? [1, ...kernel] : kernel, isSequence));
  return isSequence ? reshape(y, [y.shape[0]!, y.shape[1]!, y.shape[3]!]) : y;
}

function slidingOf(call: Call, image: Value, kernel: number[], isSequence: boolean): Sliding {
  const both = (name: string): [number, number] => {
    const list = call.list(name) ?? [1, 1];
    return (isSequence ? [1, list.at(-1)!] : list) as [number, number];
  };
  const [strides, dilation] = [both('strides'), both('dilations')];
  if ([...kernel, ...strides, ...dilation].some((value) => !(Number.isInteger(value) && value >= 1))) {
    throw new Error('kernel, strides and dilations must be whole numbers above 0');
  }
  const explicit = explicitPads(call, isSequence);
  const autoPad = call.text('auto_pad', 'NOTSET');
  const along = (side: 0 | 1): [number, number] => {
    const size = image.shape[2 + side] as number;
    const reach = (kernel[side]! - 1) * dilation[side] + 1;
    if (autoPad.startsWith('SAME')) return samePads(size, reach, strides[side], autoPad === 'SAME_UPPER');
    const [before, after] = [explicit[side], explicit[(side + 2) as 2 | 3]];
    const extra = call.number('ceil_mode', 0) ? roundingUp(size + before + after, reach, strides[side]) : 0;
    return [before, after + extra];
  };
  const [vertical, horizontal] = [along(0), along(1)];
  return {
    kernel: kernel as [number, number],
    strides,
    dilation,
    pads: [vertical[0], horizontal[0], vertical[1], horizontal[1]],
  };
}

/** top, left, bottom, right. */
function explicitPads(call: Call, isSequence: boolean): [number, number, number, number] {
  const pads = call.list('pads') ?? [0, 0, 0, 0];
  if (pads.some((count) => !(Number.isInteger(count) && count >= 0 && count <= 4096))) {
    throw new Error(`its pads [${pads.join(', ')}] are not supported`);
  }
  if (!isSequence) return pads as [number, number, number, number];
  return pads.length === 2 ? [0, pads[0]!, 0, pads[1]!] : [0, 0, 0, 0];
}

function samePads(size: number, reach: number, stride: number, isUpper: boolean): [number, number] {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  return isUpper ? [less, more] : [more, less];
}

/** What must be added at the end so that the last window is whole. */
function roundingUp(size: number, reach: number, stride: number): number {
  const rest = (size - reach) % stride;
  return size < reach || rest === 0 ? 0 : stride - rest;
}
