import type { Value } from '../graph.ts';
import { add, multiply } from '../ops/arithmetic.ts';
import { concatenate } from '../ops/concatenate.ts';
import { pick } from '../ops/pick.ts';
import type { Shape } from '../shape.ts';
import { defineLayer, type Layer, type LayerOptions, type Parameter } from './layer.ts';
import type { RecurrentLayer } from './recurrent.ts';

export interface BidirectionalOptions extends LayerOptions {
  /** How the two outputs become one. */
  mergeMode?: 'concat' | 'sum' | 'mul' | 'ave';
  /** What runs the other way; the same kind of layer, with weights of its own, by default. */
  backwardLayer?: RecurrentLayer;
}

/** A recurrent layer run forwards and another run backwards, as Keras' Bidirectional
 * (https://keras.io/api/layers/recurrent_layers/bidirectional/). */
export function bidirectional(forward: RecurrentLayer, options: BidirectionalOptions = {}): Layer {
  const { mergeMode = 'concat', backwardLayer = forward.reversed() } = options;
  const merge = merges[mergeMode];
  const run = (how: 'forward' | 'infer'): Layer['forward'] => {
    return (x, parameters, context) => {
      const half = forward.parameters(x.shape).length;
      const y = forward[how](x, parameters.slice(0, half), context);
      const backward = backwardLayer[how](x, parameters.slice(half), context);
      return merge(y, forward.returnSequences ? inReverse(backward) : backward);
    };
  };
  return defineLayer({
    type: 'Bidirectional',
    name: options.name,
    trainable: options.trainable,
    config: { layer: forward, ...options },
    masking: forward.returnSequences ? 'passes' : () => undefined,
    outputShape(input: Shape): Shape {
      const shape = forward.outputShape(input);
      return mergeMode === 'concat' ? shape.with(-1, forward.units + backwardLayer.units) : shape;
    },
    parameters: (input: Shape) => [
      ...prefixed('forward', forward, input),
      ...prefixed('backward', backwardLayer, input),
    ],
    forward: run('forward'),
    infer: run('infer'),
  });
}

const prefixed = (side: string, layer: Layer, input: Shape): Parameter[] =>
  layer.parameters(input).map((parameter) => ({ ...parameter, name: `${side}_layer/${parameter.name}` }));

const merges = {
  concat: (a: Value, b: Value) => concatenate([a, b], a.shape.length - 1),
  sum: add,
  mul: multiply,
  ave: (a: Value, b: Value) => multiply(add(a, b), a.graph.constant(0.5)),
};

function inReverse(x: Value): Value {
  const steps = x.shape[1] as number;
  return pick(
    x,
    Array.from({ length: steps }, (_, step) => steps - 1 - step),
    [steps],
  );
}
