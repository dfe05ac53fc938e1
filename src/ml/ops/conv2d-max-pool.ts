import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { inputGradient } from './conv2d.ts';
import { maximum } from './maximum.ts';
import { flattenPixels, gatherPixels } from './pixels.ts';
import { slide, table, type Window } from './window.ts';

/** Convolution followed by max pooling over cells of pool x pool, as one step: [N, H'/pool, W'/pool, O]. The
 * windows are ordered so that each position within a cell ("phase") is a GEMM of its own; pooling is then an
 * elementwise maximum of contiguous tensors, and outputs that the pooling drops are never computed. */
export function conv2dMaxPool(x: Value, kernel: Value, window: Window, pool: number): Value {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape as number[];
  const rows = Math.floor(outHeight / pool);
  const columns = Math.floor(outWidth / pool);
  const patchSize = kernelHeight! * kernelWidth! * channels!;
  const matrix = onnx.reshape(kernel, [patchSize, filters!]);
  const pixels = flattenPixels(x);
  const phases = table([pool, pool], (i, j) => i! * pool + j!).map((phase) => {
    const positions = table([rows, columns, kernelHeight!, kernelWidth!], (row, column, i, j) =>
      inputIndex(row! * pool + Math.floor(phase / pool), column! * pool + (phase % pool), i!, j!),
    );
    const patches = gatherPixels([pixels], positions, [rows * columns, kernelHeight! * kernelWidth!]);
    return onnx.reshape(patches, ['N', rows * columns, patchSize]);
  });
  const { max, split } = maximum(phases.map((patches) => onnx.matMul(patches, matrix)));
  const y = onnx.reshape(max, ['N', rows, columns, filters!]);
  return differentiable([x, kernel], y, (dy) => {
    const parts = split(flattenPixels(dy));
    const layout = (row: number, column: number) => {
      const phase = (row % pool) * pool + (column % pool);
      return (phase * rows + Math.floor(row / pool)) * columns + Math.floor(column / pool);
    };
    const outputs = { outHeight: rows * pool, outWidth: columns * pool, layout };
    return [inputGradient(parts, kernel, window, outputs), kernelGradient(phases, parts, kernel)];
  });
}

/** The phases' products are added up inside the GEMMs, each taking the sum so far as its C. They make the
 * gradient transposed, since the factor that a GEMM has to transpose is then the narrower one. */
function kernelGradient(phases: Value[], parts: Value[], kernel: Value): Value {
  let total: Value | undefined;
  phases.forEach((patches, phase) => {
    const addend = total && { c: total };
    total = onnx.gemm(onnx.toRows(parts[phase]!), onnx.toRows(patches), { transA: true, ...addend });
  });
  return onnx.reshape(onnx.transpose(total!, [1, 0]), kernel.shape);
}
