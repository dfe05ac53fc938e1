import type { Value } from '../graph.ts';
import { embedding as look } from '../ops/embedding.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { randomUniform } from './initializers.ts';
import { defineLayer, type Initializer, type Layer, type LayerOptions, type Regularizer } from './layer.ts';

export interface EmbeddingOptions extends LayerOptions {
  embeddingsInitializer?: Initializer;
  embeddingsRegularizer?: Regularizer;
  /** Whether 0 is padding: recurrent layers, attention and means behind this leave such steps out. */
  maskZero?: boolean;
}

/** A trained vector [outputDim] for each whole number from 0 to inputDim - 1, as Keras' Embedding
 * (https://keras.io/api/layers/core_layers/embedding/). Declare `input([steps], { dtype: 'int32' })`. */
export function embedding(inputDim: number, outputDim: number, options: EmbeddingOptions = {}): Layer {
  const { embeddingsInitializer = randomUniform(), embeddingsRegularizer, maskZero = false } = options;
  return defineLayer({
    type: 'Embedding',
    name: options.name,
    trainable: options.trainable,
    config: { inputDim, outputDim, ...options },
    takesIntegers: true,
    masking: (x: Value) => (maskZero ? isNotZero(x) : undefined),
    outputShape: (input: Shape) => [...input, outputDim],
    parameters: () => [
      {
        name: 'embeddings',
        shape: [inputDim, outputDim],
        initializer: embeddingsInitializer,
        regularizer: embeddingsRegularizer,
      },
    ],
    forward: (x, [table]) => look(x, table!),
    infer: (x, [table]) => look(x, table!),
  });
}

function isNotZero(x: Value): Value {
  const { graph } = x;
  return onnx.mask(onnx.greater(onnx.abs(onnx.cast(x, graph.float)), graph.constant(0)));
}
