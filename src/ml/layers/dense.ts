import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { linear } from '../ops/linear.ts';
import * as onnx from '../primitives.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { type Activation, activationOf } from './activation.ts';
import { glorotUniform, zeros } from './initializers.ts';
import {
  defineLayer,
  type Initializer,
  type Layer,
  type LayerOptions,
  type Parameter,
  type Regularizer,
} from './layer.ts';
import { regularizeActivity } from './regularizers.ts';

export interface DenseOptions extends LayerOptions {
  activation?: Activation;
  useBias?: boolean;
  kernelInitializer?: Initializer;
  biasInitializer?: Initializer;
  kernelRegularizer?: Regularizer;
  biasRegularizer?: Regularizer;
  activityRegularizer?: Regularizer;
}

/** The last axis of x [N, ..., K] by kernel [K, units] plus bias [units], as Keras' Dense
 * (https://keras.io/api/layers/core_layers/dense/). */
export function dense(units: number, options: DenseOptions = {}): Layer {
  const { useBias = true, kernelInitializer = glorotUniform, biasInitializer = zeros } = options;
  const activation = activationOf(options.activation ?? 'linear');
  return defineLayer({
    type: 'Dense',
    name: options.name,
    trainable: options.trainable,
    config: { units, ...options },
    masking: 'passes',
    outputShape(input: Shape): Shape {
      if (input.length >= 2) return input.with(-1, units);
      throw new ShapeError(`Dense(${units}) needs an input of 2 or more axes, got ${formatShape(input)}`);
    },
    parameters(input: Shape): Parameter[] {
      const kernel = {
        name: 'kernel',
        shape: [input.at(-1) as number, units],
        initializer: kernelInitializer,
        regularizer: options.kernelRegularizer,
      };
      const bias = {
        name: 'bias',
        shape: [units],
        initializer: biasInitializer,
        regularizer: options.biasRegularizer,
      };
      return useBias ? [kernel, bias] : [kernel];
    },
    forward(x, [kernel, bias], context) {
      const product = linear(x, kernel!);
      const y = activation.forward(bias ? addBias(product, bias) : product);
      return regularizeActivity(y, options.activityRegularizer, context);
    },
    infer(x: Value, [kernel, bias]: Value[]): Value {
      if (x.shape.length === 2) return activation.infer(onnx.gemm(x, kernel!, bias && { c: bias }));
      const product = onnx.matMul(x, kernel!);
      return activation.infer(bias ? onnx.add(product, bias) : product);
    },
  });
}
