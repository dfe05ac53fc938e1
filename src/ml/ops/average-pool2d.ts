import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { invertTable } from './inverse-table.ts';
import { flattenPixels, gatherPixels } from './pixels.ts';
import { slide, table, type Window } from './window.ts';

/** Average pooling of x [N, H, W, C]: [N, H', W', C]. Cells outside the image do not count. */
export function averagePool2d(x: Value, window: Window): Value {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const { height, width, kernel } = window;
  const channels = x.shape[3]!;
  const [size, cells] = [outHeight * outWidth, kernel[0] * kernel[1]];
  const positions = table([outHeight, outWidth, ...kernel], inputIndex as (...index: number[]) => number);
  const shares = x.graph.constant(
    countInside(positions, cells).map((count) => 1 / count),
    [1, size, 1],
  );
  const seen = onnx.reduceSum(gatherPixels([flattenPixels(x)], positions, [size, cells]), 2);
  const y = onnx.reshape(onnx.mul(seen, shares), ['N', outHeight, outWidth, channels]);
  return differentiable([x], y, (dy) => {
    const { sources: places, most } = invertTable(positions, height * width);
    const sources = places.map((place) => Math.floor(place / cells));
    const weighed = onnx.mul(flattenPixels(dy), shares);
    const found = gatherPixels([weighed], sources, [height * width, most]);
    return [onnx.reshape(onnx.reduceSum(found, 2), x.shape)];
  });
}

/** For each window, how many of its cells lie in the image. */
function countInside(positions: number[], cells: number): number[] {
  return Array.from({ length: positions.length / cells }, (_, index) => {
    return positions.slice(index * cells, (index + 1) * cells).filter((position) => position >= 0).length;
  });
}
