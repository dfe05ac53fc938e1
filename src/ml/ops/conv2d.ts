import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { flattenPixels, gatherPixels } from './pixels.ts';
import { type Layout, slide, table, type Window } from './window.ts';

/** Convolution of x [N, H, W, C] with kernel [kH, kW, C, O]: [N, H', W', O]. The windows are laid out as rows
 * (im2col) by one Gather with a constant table, so that the rest is GEMM. */
export function conv2d(x: Value, kernel: Value, window: Window): Value {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape as number[];
  const extents = [outHeight, outWidth, kernelHeight!, kernelWidth!];
  const patches = gatherPixels([flattenPixels(x)], table(extents, inputIndex), [
    outHeight * outWidth,
    kernelHeight! * kernelWidth!,
  ]);
  const patchSize = kernelHeight! * kernelWidth! * channels!;
  const columns = onnx.reshape(patches, ['N', outHeight * outWidth, patchSize]);
  const product = onnx.matMul(columns, onnx.reshape(kernel, [patchSize, filters!]));
  const y = onnx.reshape(product, ['N', outHeight, outWidth, filters!]);
  return differentiable([x, kernel], y, (dy) => {
    const pixels = flattenPixels(dy);
    const layout: Layout = (row, column) => row * outWidth + column;
    return [
      inputGradient([pixels], kernel, window, { outHeight, outWidth, layout }),
      onnx.reshape(onnx.gemm(onnx.toRows(columns), onnx.toRows(pixels), { transA: true }), kernel.shape),
    ];
  });
}

/** The outputs whose gradients are at hand: their extents and the order in which they are stored. */
interface Outputs {
  outHeight: number;
  outWidth: number;
  layout: Layout;
}

/** The gradient of a convolution's input, from those of its outputs (parts of [N, P, O], see `gatherPixels`). */
export function inputGradient(parts: Value[], kernel: Value, window: Window, outputs: Outputs): Value {
  return window.strides[0] === 1
    ? inputGradientByRows(parts, kernel, window, outputs)
    : inputGradientByPixels(parts, kernel, window, outputs);
}

/** With vertical stride 1, a kernel row adds to the input what one GEMM gives, shifted down by that row. */
function inputGradientByRows(parts: Value[], kernel: Value, window: Window, outputs: Outputs): Value {
  const { outHeight, outWidth, layout } = outputs;
  const { height, width, strides, dilation } = window;
  const { padTop, padLeft } = slide(window);
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape as number[];
  const positions = table([outHeight, width, kernelWidth!], (row, column, j) => {
    const outColumn = (column + padLeft - j! * dilation[1]) / strides[1];
    return isIndex(outColumn, outWidth) ? layout(row!, outColumn) : -1;
  });
  const rows = onnx.reshape(gatherPixels(parts, positions, [outHeight * width, kernelWidth!]), [
    'N',
    outHeight * width,
    kernelWidth! * filters!,
  ]);
  const flipped = onnx.reshape(onnx.transpose(kernel, [0, 1, 3, 2]), [
    kernelHeight! * kernelWidth! * filters!,
    channels!,
  ]);
  const size = kernelWidth! * filters!;
  const shifted = Array.from({ length: kernelHeight! }, (_, i) => {
    const product = onnx.matMul(rows, onnx.slice(flipped, 0, i * size, (i + 1) * size));
    const image = onnx.reshape(product, ['N', outHeight, width, channels!]);
    const top = i * dilation[0] - padTop;
    return onnx.pad(image, 1, top, height - outHeight - top);
  });
  return onnx.sum(shifted);
}

/** For any stride: each input pixel gathers all the outputs that saw it, and one GEMM weighs them. */
function inputGradientByPixels(parts: Value[], kernel: Value, window: Window, outputs: Outputs): Value {
  const { outHeight, outWidth, layout } = outputs;
  const { height, width, strides, dilation } = window;
  const { padTop, padLeft } = slide(window);
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape as number[];
  const positions = table([height, width, kernelHeight!, kernelWidth!], (row, column, i, j) => {
    const outRow = (row! + padTop - i! * dilation[0]) / strides[0];
    const outColumn = (column! + padLeft - j! * dilation[1]) / strides[1];
    return isIndex(outRow, outHeight) && isIndex(outColumn, outWidth) ? layout(outRow, outColumn) : -1;
  });
  const cells = kernelHeight! * kernelWidth!;
  const seen = gatherPixels(parts, positions, [height * width, cells]);
  const columns = onnx.reshape(seen, ['N', height * width, cells * filters!]);
  const flipped = onnx.reshape(onnx.transpose(kernel, [0, 1, 3, 2]), [cells * filters!, channels!]);
  return onnx.reshape(onnx.matMul(columns, flipped), ['N', height, width, channels!]);
}

const isIndex = (value: number, length: number): boolean =>
  Number.isInteger(value) && value >= 0 && value < length;
