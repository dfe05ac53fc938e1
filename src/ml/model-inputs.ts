import type { Architecture, PlacedLayer } from './architecture.ts';
import type { Graph, Value } from './graph.ts';
import { penalty } from './ops/penalty.ts';
import * as onnx from './primitives.ts';
import { staticSize } from './shape.ts';

/** What a graph of a model takes: `x` and the flat `weights` [P]. */
export interface ModelInputs {
  /** One a model input. */
  inputs: Value[];
  weights: Value;
  /** The parameters as views of the weights, in their order. */
  leaves: Value[];
  trainable: Value[];
  /** What the regularizers of the parameters add to the loss. */
  penalties: Value[];
  parametersOf: (layer: PlacedLayer) => Value[];
}

export function modelInputs(graph: Graph, model: Architecture): ModelInputs {
  const inputs = packedInputs(graph, model);
  const weights = graph.input('weights', 'float32', [model.parameterCount]);
  const trainable: Value[] = [];
  const penalties: Value[] = [];
  const leavesOf = new Map<PlacedLayer, Value[]>();
  for (const placed of model.layers) {
    const leaves = placed.parameters.map(({ offset, size, shape, isTrainable = true, regularizer }) => {
      const leaf = onnx.reshape(onnx.slice(weights, 0, offset, offset + size), shape);
      if (isTrainable && placed.layer.trainable) trainable.push(leaf);
      if (regularizer) penalties.push(penalty(leaf, regularizer));
      return leaf;
    });
    leavesOf.set(placed, leaves);
  }
  const parametersOf = (placed: PlacedLayer) => leavesOf.get(placed)!;
  return { inputs, weights, leaves: [...leavesOf.values()].flat(), trainable, penalties, parametersOf };
}

/** The model's inputs, of which several come as one `x` [N, numbers of all]. */
function packedInputs(graph: Graph, { input, inputs }: Architecture): Value[] {
  const x = graph.input('x', input.dtype, ['N', ...input.shape]);
  if (inputs.length === 1) return [x];
  let end = 0;
  return inputs.map(({ input: { dtype, shape } }) => {
    const start = end;
    end += staticSize(shape);
    return onnx.cast(onnx.reshape(onnx.slice(x, 1, start, end), ['N', ...shape]), dtype);
  });
}
