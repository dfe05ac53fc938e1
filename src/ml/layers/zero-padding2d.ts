import type { Value } from '../graph.ts';
import { type Margins, zeroPadding2d as padZeros } from '../ops/zero-padding2d.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { toChannelsFirst, toChannelsLast } from './conv2d.ts';
import { defineLayer, type Layer, requireRank } from './layer.ts';

/** One number for all sides, [vertical, horizontal], or [[top, bottom], [left, right]]. */
export type Padding2D = number | [number, number] | [[number, number], [number, number]];

/** Rows and columns of zeros around images, as Keras' ZeroPadding2D
 * (https://keras.io/api/layers/reshaping_layers/zero_padding2d/). */
export function zeroPadding2d(padding: Padding2D = 1, { name }: { name?: string } = {}): Layer {
  const margins = marginsOf(padding);
  if (margins.flat().some((count) => !Number.isInteger(count) || count < 0)) {
    throw new RangeError(`zeroPadding2d(${JSON.stringify(padding)}): counts must be whole numbers from 0 on`);
  }
  const [[top, bottom], [left, right]] = margins;
  return defineLayer({
    type: 'ZeroPadding2D',
    name,
    config: { padding },
    outputShape(input: Shape): Shape {
      requireRank('ZeroPadding2D', input, 4, 'give images as [N, height, width, channels]');
      return ['N', (input[1] as number) + top + bottom, (input[2] as number) + left + right, input[3]!];
    },
    parameters: () => [],
    forward: (x: Value) => padZeros(x, margins),
    infer: (x: Value) =>
      toChannelsLast(onnx.pad(onnx.pad(toChannelsFirst(x), 2, top, bottom), 3, left, right)),
  });
}

export function marginsOf(padding: Padding2D): Margins {
  const [vertical, horizontal] = typeof padding === 'number' ? [padding, padding] : padding;
  const both = (side: number | [number, number]): [number, number] =>
    typeof side === 'number' ? [side, side] : side;
  return [both(vertical), both(horizontal)];
}
