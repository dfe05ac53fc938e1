import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { invertTable } from './inverse-table.ts';
import { gatherPixels } from './pixels.ts';

/** Picks positions of x [N, P, C] by a constant table, -1 for zeros: [N, ...shape, C]. Each position's gradient is
 * the sum over all places that it was picked for, found by the inverse table. */
export function pick(x: Value, positions: number[], shape: number[]): Value {
  const length = x.shape[1] as number;
  return differentiable([x], gatherPixels([x], positions, shape), (dy) => {
    const { sources, most } = invertTable(positions, length);
    const flat = onnx.reshape(dy, [x.shape[0]!, positions.length, x.shape[2]!]);
    const found = gatherPixels([flat], sources, most === 1 ? [length] : [length, most]);
    return [most === 1 ? found : onnx.reduceSum(found, 2)];
  });
}
