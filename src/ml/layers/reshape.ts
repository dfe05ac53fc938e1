import type { Value } from '../graph.ts';
import { reshape as changeShape } from '../ops/reshape.ts';
import * as onnx from '../primitives.ts';
import { type Shape, ShapeError, staticSize } from '../shape.ts';
import { defineLayer, type Layer } from './layer.ts';

/** The same numbers in another shape, as Keras' Reshape; one dimension may be -1, what remains
 * (https://keras.io/api/layers/reshaping_layers/reshape/). */
export function reshape(targetShape: number[], { name }: { name?: string } = {}): Layer {
  const title = `Reshape([${targetShape.join(', ')}])`;
  const open = targetShape.filter((dim) => dim === -1).length;
  if (open > 1 || targetShape.some((dim) => dim !== -1 && (!Number.isInteger(dim) || dim < 1))) {
    throw new RangeError(`${title}: dimensions must be whole numbers above 0, one of them may be -1`);
  }
  const known = targetShape.reduce((product, dim) => (dim === -1 ? product : product * dim), 1);
  const outputShape = (input: Shape): Shape => {
    const size = staticSize(input.slice(1));
    if (open === 0 ? size === known : size % known === 0) {
      return ['N', ...targetShape.map((dim) => (dim === -1 ? size / known : dim))];
    }
    throw new ShapeError(
      `${title} holds ${open ? 'a multiple of ' : ''}${known} numbers, got [${input.join(', ')}] with ${size}: ` +
        'change the target shape, or put -1 for one dimension',
    );
  };
  return defineLayer({
    type: 'Reshape',
    name,
    config: { targetShape },
    outputShape,
    parameters: () => [],
    forward: (x: Value) => changeShape(x, outputShape(x.shape)),
    infer: (x: Value) => onnx.reshape(x, outputShape(x.shape)),
  });
}
