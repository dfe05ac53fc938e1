import type { Value } from '../graph.ts';
import { pick } from '../ops/pick.ts';
import { reshape } from '../ops/reshape.ts';
import { transpose } from '../ops/transpose.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { defineLayer, type Layer, type LayerOptions, requireRank } from './layer.ts';

/** The axes in another order, counted from 1 and without the batch's, as Keras' Permute
 * (https://keras.io/api/layers/reshaping_layers/permute/). */
export function permute(dims: number[], { name }: LayerOptions = {}): Layer {
  if (dims.toSorted((a, b) => a - b).some((dim, index) => dim !== index + 1)) {
    throw new RangeError(`permute([${dims.join(', ')}]): name each axis from 1 to ${dims.length} once`);
  }
  const forward = (x: Value): Value => transpose(x, [0, ...dims]);
  return defineLayer({
    type: 'Permute',
    name,
    config: { dims },
    outputShape(input: Shape): Shape {
      if (input.length === dims.length + 1) return ['N', ...dims.map((dim) => input[dim]!)];
      throw new ShapeError(`Permute([${dims.join(', ')}]) does not fit ${formatShape(input)}`);
    },
    parameters: () => [],
    forward,
    infer: forward,
  });
}

/** [N, channels] n times: [N, n, channels], as Keras' RepeatVector
 * (https://keras.io/api/layers/reshaping_layers/repeat_vector/). */
export function repeatVector(n: number, { name }: LayerOptions = {}): Layer {
  const forward = (x: Value): Value =>
    pick(reshape(x, ['N', 1, x.shape[1]!]), new Array<number>(n).fill(0), [n]);
  return defineLayer({
    type: 'RepeatVector',
    name,
    config: { n },
    outputShape(input: Shape): Shape {
      requireRank(`RepeatVector(${n})`, input, 2, 'add flatten() before it');
      return ['N', n, input[1]!];
    },
    parameters: () => [],
    forward,
    infer: forward,
  });
}
