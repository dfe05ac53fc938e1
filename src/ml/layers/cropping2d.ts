import type { Value } from '../graph.ts';
import { slice } from '../ops/slice.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { defineLayer, type Layer, type LayerOptions, requireRank } from './layer.ts';
import { marginsOf, type Padding2D } from './zero-padding2d.ts';

/** Images without their outer rows and columns, as Keras' Cropping2D
 * (https://keras.io/api/layers/reshaping_layers/cropping2d/). */
export function cropping2d(cropping: Padding2D = 0, options: LayerOptions = {}): Layer {
  const [[top, bottom], [left, right]] = marginsOf(cropping);
  const outputShape = (input: Shape): Shape => {
    requireRank('Cropping2D', input, 4, 'give images as [N, height, width, channels]');
    const [height, width] = [(input[1] as number) - top - bottom, (input[2] as number) - left - right];
    if (height > 0 && width > 0) return ['N', height, width, input[3]!];
    throw new ShapeError(`Cropping2D leaves nothing of ${formatShape(input)}: crop less`);
  };
  const forward = (x: Value): Value => {
    const [, height, width] = outputShape(x.shape) as ['N', number, number];
    return slice(slice(x, 1, top, top + height), 2, left, left + width);
  };
  return defineLayer({
    type: 'Cropping2D',
    name: options.name,
    config: { cropping },
    outputShape,
    parameters: () => [],
    forward,
    infer: forward,
  });
}
