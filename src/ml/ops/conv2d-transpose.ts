import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { inputGradient } from './conv2d.ts';
import { flattenPixels, gatherPixels } from './pixels.ts';
import { slide, table, type Window } from './window.ts';

/** The transpose of the convolution with `window` over the output [N, H, W, O] (Dumoulin and Visin, 2016): what that
 * one's gradient does for its input. x is [N, h, w, C], the kernel [kH, kW, O, C]. */
export function conv2dTranspose(x: Value, kernel: Value, window: Window): Value {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const [kernelHeight, kernelWidth, filters, channels] = kernel.shape as number[];
  const pixels = flattenPixels(x);
  const layout = (row: number, column: number) => row * outWidth + column;
  const y = inputGradient([pixels], kernel, window, { outHeight, outWidth, layout });
  return differentiable([x, kernel], y, (dy) => {
    const positions = table([outHeight, outWidth, kernelHeight!, kernelWidth!], inputIndex);
    const cells = kernelHeight! * kernelWidth!;
    const patches = gatherPixels([flattenPixels(dy)], positions, [outHeight * outWidth, cells]);
    const columns = onnx.reshape(patches, [x.shape[0]!, outHeight * outWidth, cells * filters!]);
    const dx = onnx.matMul(columns, onnx.reshape(kernel, [cells * filters!, channels!]));
    const dKernel = onnx.gemm(onnx.toRows(columns), onnx.toRows(pixels), { transA: true });
    return [onnx.reshape(dx, x.shape), onnx.reshape(dKernel, kernel.shape)];
  });
}
