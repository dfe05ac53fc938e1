import type { Value } from '../graph.ts';
import { addBias } from '../ops/bias.ts';
import { linear } from '../ops/linear.ts';
import * as onnx from '../primitives.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { activationOf } from './activation.ts';
import { type KernelOptions, kernelAndBias } from './kernel.ts';
import { defineLayer, type Layer } from './layer.ts';
import { regularizeActivity } from './regularizers.ts';

export type DenseOptions = KernelOptions;

/** The last axis of x [N, ..., K] by kernel [K, units] plus bias [units], as Keras' Dense
 * (https://keras.io/api/layers/core_layers/dense/). */
export function dense(units: number, options: DenseOptions = {}): Layer {
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
    parameters: (input: Shape) => kernelAndBias([input.at(-1) as number, units], units, options),
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
