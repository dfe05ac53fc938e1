import type { Value } from '../graph.ts';
import { scale } from '../ops/scale.ts';
import { defineLayer, type Layer } from './layer.ts';

/** x * scale + offset, as Keras' Rescaling; `rescaling(1 / 255)` takes bytes to [0, 1] inside the graph. */
export function rescaling(factor: number, offset = 0, { name }: { name?: string } = {}): Layer {
  const forward = (x: Value): Value => scale(x, factor, offset);
  return defineLayer({
    type: 'Rescaling',
    name,
    config: { scale: factor, offset },
    masking: 'passes',
    outputShape: (input) => input,
    parameters: () => [],
    forward,
    infer: forward,
  });
}
