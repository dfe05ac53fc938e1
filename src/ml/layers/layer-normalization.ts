import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { multiplyGain } from '../ops/gain.ts';
import { standardize } from '../ops/standardize.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { ones, zeros } from './initializers.ts';
import { defineLayer, type Initializer, type Layer, type LayerOptions, type Parameter } from './layer.ts';

export interface LayerNormalizationOptions extends LayerOptions {
  epsilon?: number;
  /** Whether to add a trained offset, beta. */
  center?: boolean;
  /** Whether to multiply by a trained gain, gamma. */
  scale?: boolean;
  betaInitializer?: Initializer;
  gammaInitializer?: Initializer;
}

/** Each example's last axis to mean 0 and variance 1, as Keras' LayerNormalization with axis -1
 * (https://keras.io/api/layers/normalization_layers/layer_normalization/). */
export function layerNormalization({
  epsilon = 1e-3,
  center = true,
  scale = true,
  betaInitializer = zeros,
  gammaInitializer = ones,
  name,
  trainable,
}: LayerNormalizationOptions = {}): Layer {
  const assign = (parameters: Value[]) => ({
    gamma: scale ? parameters[0] : undefined,
    beta: center ? parameters.at(-1) : undefined,
  });
  return defineLayer({
    type: 'LayerNormalization',
    name,
    trainable,
    masking: 'passes',
    config: { epsilon, center, scale, betaInitializer, gammaInitializer },
    outputShape: (input) => input,
    parameters(input: Shape): Parameter[] {
      const shape = [input.at(-1) as number];
      const gamma = { name: 'gamma', shape, initializer: gammaInitializer };
      const beta = { name: 'beta', shape, initializer: betaInitializer };
      return [...(scale ? [gamma] : []), ...(center ? [beta] : [])];
    },
    forward(x: Value, parameters: Value[]): Value {
      const { gamma, beta } = assign(parameters);
      const { y } = standardize(x, x.shape.length - 1, epsilon);
      const scaled = gamma ? multiplyGain(y, gamma) : y;
      return beta ? addBias(scaled, beta) : scaled;
    },
    infer(x: Value, parameters: Value[]): Value {
      const { gamma, beta } = assign(parameters);
      const channels = x.shape.at(-1) as number;
      const gain = gamma ?? x.graph.constant(new Array<number>(channels).fill(1));
      return onnx.layerNormalization(x, gain, beta, epsilon);
    },
  });
}
