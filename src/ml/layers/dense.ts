import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { linear } from '../ops/linear.ts';
import * as onnx from '../primitives.ts';
import type { Shape } from '../shape.ts';
import { type Activation, activationOf } from './activation.ts';
import { glorotUniform, zeros } from './initializers.ts';
import { type Initializer, type Layer, type Parameter, requireRank } from './layer.ts';

export interface DenseOptions {
  activation?: Activation;
  useBias?: boolean;
  kernelInitializer?: Initializer;
  biasInitializer?: Initializer;
  name?: string;
}

/** x [N, K] by kernel [K, units] plus bias [units], as Keras' Dense
 * (https://keras.io/api/layers/core_layers/dense/). */
export function dense(units: number, options: DenseOptions = {}): Layer {
  const { useBias = true, kernelInitializer = glorotUniform } = options;
  const activation = activationOf(options.activation ?? 'linear');
  return {
    type: 'Dense',
    name: options.name,
    config: { units, ...options },
    outputShape(input: Shape): Shape {
      requireRank(`Dense(${units})`, input, 2, 'add flatten() before it');
      return ['N', units];
    },
    parameters(input: Shape): Parameter[] {
      const kernel = { name: 'kernel', shape: [input[1] as number, units], initializer: kernelInitializer };
      if (!useBias) return [kernel];
      return [kernel, { name: 'bias', shape: [units], initializer: options.biasInitializer ?? zeros }];
    },
    forward(x: Value, [kernel, bias]: Value[]): Value {
      const product = linear(x, kernel!);
      return activation.forward(bias ? addBias(product, bias) : product);
    },
    infer(x: Value, [kernel, bias]: Value[]): Value {
      return activation.infer(onnx.gemm(x, kernel!, bias && { c: bias }));
    },
  };
}
