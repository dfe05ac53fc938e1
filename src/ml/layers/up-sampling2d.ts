import type { Value } from '../graph.ts';
import { pick } from '../ops/pick.ts';
import { reshape } from '../ops/reshape.ts';
import { table } from '../ops/window.ts';
import type { Shape } from '../shape.ts';
import { pair } from './conv2d.ts';
import { defineLayer, type Layer, type LayerOptions, requireRank } from './layer.ts';

/** Each pixel several times, as Keras' UpSampling2D with interpolation 'nearest'
 * (https://keras.io/api/layers/reshaping_layers/up_sampling2d/). */
export function upSampling2d(size: number | [number, number] = 2, options: LayerOptions = {}): Layer {
  const [rows, columns] = pair(size);
  if (![rows, columns].every((count) => Number.isInteger(count) && count > 0)) {
    throw new RangeError(`upSampling2d(${JSON.stringify(size)}): sizes must be whole numbers above 0`);
  }
  const outputShape = (input: Shape): Shape => {
    requireRank('UpSampling2D', input, 4, 'give images as [N, height, width, channels]');
    return ['N', (input[1] as number) * rows, (input[2] as number) * columns, input[3]!];
  };
  const forward = (x: Value): Value => {
    const [batch, height, width, channels] = x.shape as ['N', number, number, number];
    const positions = table(
      [height * rows, width * columns],
      (row, column) => Math.floor(row! / rows) * width + Math.floor(column! / columns),
    );
    const pixels = reshape(x, [batch, height * width, channels]);
    return reshape(pick(pixels, positions, [positions.length]), outputShape(x.shape));
  };
  return defineLayer({
    type: 'UpSampling2D',
    name: options.name,
    config: { size },
    outputShape,
    parameters: () => [],
    forward,
    infer: forward,
  });
}
