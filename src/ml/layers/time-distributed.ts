import type { Value } from '../graph.ts';
import { relabel } from '../ops/reshape.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { defineLayer, type Layer, type LayerOptions } from './layer.ts';

/** Applies a layer to every time step of [N, T, ...] on its own, as Keras' TimeDistributed
 * (https://keras.io/api/layers/recurrent_layers/time_distributed/). */
export function timeDistributed(layer: Layer, { name, trainable }: LayerOptions = {}): Layer {
  const step = (input: Shape): Shape => ['N', ...input.slice(2)];
  const outputShape = (input: Shape): Shape => {
    if (input.length < 3) {
      throw new ShapeError(`TimeDistributed needs an input [N, steps, ...], got ${formatShape(input)}`);
    }
    return ['N', input[1]!, ...layer.outputShape(step(input)).slice(1)];
  };
  const run =
    (how: 'forward' | 'infer'): Layer['forward'] =>
    (x, parameters, context) => {
      // The steps of all examples pass for a batch, so that the layer need not know of them.
      const steps = relabel(x, step(x.shape));
      const inner = { ...context, inputs: [steps], masks: [] };
      const y: Value = layer[how](steps, parameters, inner);
      return relabel(y, outputShape(x.shape));
    };
  return defineLayer({
    type: 'TimeDistributed',
    name,
    trainable,
    config: { layer },
    masking: 'passes',
    outputShape,
    parameters: (input: Shape) => layer.parameters(step(input)),
    forward: run('forward'),
    infer: run('infer'),
  });
}
