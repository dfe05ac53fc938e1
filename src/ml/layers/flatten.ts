import type { Value } from '../graph.ts';
import { reshape } from '../ops/reshape.ts';
import * as onnx from '../primitives.ts';
import { type Shape, staticSize } from '../shape.ts';
import { defineLayer, type Layer } from './layer.ts';

/** All axes but the batch's folded into one, as Keras' Flatten. */
export function flatten({ name }: { name?: string } = {}): Layer {
  const outputShape = (input: Shape): Shape => ['N', staticSize(input.slice(1))];
  return defineLayer({
    type: 'Flatten',
    name,
    config: {},
    outputShape,
    parameters: () => [],
    forward: (x: Value) => reshape(x, outputShape(x.shape)),
    infer: (x: Value) => onnx.reshape(x, outputShape(x.shape)),
  });
}
