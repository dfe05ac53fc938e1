import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { maximum } from './maximum.ts';
import { gatherPixels } from './pixels.ts';
import { table, type Window } from './window.ts';

/** The side, in pixels, of the patch that all windows of one pooling cell lie in, in whole cells. */
export const patchSide = (kernelSize: number, pool: number): number =>
  Math.ceil((kernelSize + pool - 1) / pool) * pool;

/** Whether `patchConv2dMaxPool` covers the case: square kernel, stride 1, no padding, whole cells. */
export function canUsePatches(
  { height, width, kernel, strides, dilation, padding }: Window,
  pool: number,
): boolean {
  const isPlain = kernel[0] === kernel[1] && [...strides, ...dilation].every((step) => step === 1);
  const fits = (size: number) =>
    (Math.floor((size - kernel[0] + 1) / pool) - 1) * pool + patchSide(kernel[0], pool) <= size;
  return isPlain && padding === 'valid' && width % pool === 0 && fits(height) && fits(width);
}

/** The same as `conv2dMaxPool` for images of few channels, where gathering pixel by pixel would copy 12 bytes at
 * a time: one patch a pooling cell, and a kernel a phase that is zero where its window does not reach. More
 * multiplications, fewer and longer copies. For a model's first layer: x gets no gradient. */
export function patchConv2dMaxPool(x: Value, kernel: Value, window: Window, pool: number): Value {
  const { height, width } = window;
  const [kernelSize, , channels, filters] = kernel.shape as number[];
  const rows = Math.floor((height - kernelSize! + 1) / pool);
  const columns = Math.floor((width - kernelSize! + 1) / pool);
  const side = patchSide(kernelSize!, pool);
  // Runs of `pool` pixels of one image row are contiguous and start at multiples of `pool`.
  const runs = onnx.reshape(x, ['N', (height * width) / pool, pool * channels!]);
  const positions = table([rows, columns, side, side / pool], (row, column, i, run) => {
    return ((row! * pool + i!) * width) / pool + column! + run!;
  });
  const patchSize = side * side * channels!;
  const gathered = gatherPixels([runs], positions, [rows * columns, (side * side) / pool]);
  const patches = onnx.reshape(gathered, ['N', rows * columns, patchSize]);
  const weights = kernelSize! * kernelSize! * channels!;
  const matrix = onnx.reshape(kernel, [weights, filters!]);
  const padded = onnx.pad(matrix, 0, 0, 1);
  const phases = table([pool, pool], (i, j) => i! * pool + j!).map((phase) => {
    const [top, left] = [Math.floor(phase / pool), phase % pool];
    const expansion = table([side, side, channels!], (row, column, channel) => {
      const [i, j] = [row! - top, column! - left];
      const isInside = i >= 0 && i < kernelSize! && j >= 0 && j < kernelSize!;
      return isInside ? (i * kernelSize! + j) * channels! + channel! : weights;
    });
    const contraction = table([kernelSize!, kernelSize!, channels!], (i, j, channel) => {
      return ((i! + top) * side + j! + left) * channels! + channel!;
    });
    return { expanded: onnx.gather(padded, expansion, [patchSize], 0), contraction };
  });
  const { max, split } = maximum(phases.map(({ expanded }) => onnx.matMul(patches, expanded)));
  const y = onnx.reshape(max, ['N', rows, columns, filters!]);
  return differentiable([x, kernel], y, (dy) => {
    const parts = split(onnx.reshape(dy, ['N', rows * columns, filters!]));
    const products = parts.map((part, phase) => {
      const product = onnx.gemm(onnx.toRows(patches), onnx.toRows(part), { transA: true });
      return onnx.gather(product, phases[phase]!.contraction, [weights], 0);
    });
    return [undefined, onnx.reshape(onnx.sum(products), kernel.shape)];
  });
}
