import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Picks pixels of x [N, P, C] by a constant table of positions, -1 for none: [N, ...shape, C]. Several parts
 * count as one x, joined along P. Where the table has -1, a slot that holds `fill` is appended. */
export function gatherPixels(
  parts: Value[],
  positions: number[],
  shape: number[],
  { fill = 0 }: { fill?: number } = {},
): Value {
  const slot = parts.reduce((total, part) => total + (part.shape[1] as number), 0);
  if (!positions.includes(-1)) return onnx.gather(onnx.concat(parts, 1), positions, shape, 1);
  const joined = onnx.concat([...parts, filledSlot(parts[0]!, fill)], 1);
  const indices = positions.map((position) => (position < 0 ? slot : position));
  return onnx.gather(joined, indices, shape, 1);
}

/** [N, 1, C] of `fill`. N is known only at run time; `x > x` is false, hence 0, even for NaN. */
function filledSlot(x: Value, fill: number): Value {
  const pixel = onnx.slice(x, 1, 0, 1);
  const zeros = onnx.mask(onnx.greater(pixel, pixel));
  return fill === 0 ? zeros : onnx.add(zeros, x.graph.constant(fill));
}

/** [N, H, W, C] as [N, H * W, C]. */
export function flattenPixels(x: Value): Value {
  const [batch, height, width, channels] = x.shape;
  return onnx.reshape(x, [batch!, (height as number) * (width as number), channels!]);
}
