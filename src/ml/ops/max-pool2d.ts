import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { invertTable } from './inverse-table.ts';
import { maximum } from './maximum.ts';
import { flattenPixels, gatherPixels } from './pixels.ts';
import { slide, table, type Window } from './window.ts';

/** Below every pixel, and still finite: pixels outside the image must not win. */
const lowest = -3.4e38;

/** Max pooling of x [N, H, W, C]: [N, H', W', C]. The first of equal pixels gets the gradient. */
export function maxPool2d(x: Value, window: Window): Value {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const channels = x.shape[3] as number;
  const size = outHeight * outWidth;
  const pixels = flattenPixels(x);
  const cells = table([...window.kernel], (i, j) => i! * window.kernel[1] + j!);
  const positions = cells.map((cell) => {
    const [i, j] = [Math.floor(cell / window.kernel[1]), cell % window.kernel[1]];
    return table([outHeight, outWidth], (row, column) => inputIndex(row!, column!, i, j));
  });
  const { max, split } = maximum(
    positions.map((position) => gatherPixels([pixels], position, [size], { fill: lowest })),
  );
  const y = onnx.reshape(max, ['N', outHeight, outWidth, channels]);
  return differentiable([x], y, (dy) => {
    const { sources, most } = invertTable(positions.flat(), window.height * window.width);
    const found = gatherPixels(split(flattenPixels(dy)), sources, [window.height * window.width, most]);
    return [onnx.reshape(onnx.reduceSum(found, 2), x.shape)];
  });
}
