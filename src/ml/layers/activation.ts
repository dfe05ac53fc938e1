import type { Value } from '../graph.ts';
import * as op from '../ops/activations.ts';
import { gelu, geluApproximate } from '../ops/gelu.ts';
import * as onnx from '../primitives.ts';
import { type Layer, sameShapeLayer } from './layer.ts';

/** A function of each element (softmax: of the last axis) between layers. Made by `activations`. */
export interface ActivationFunction {
  readonly name: ActivationName;
  /** Whether it never falls, so that it may be taken after the maximum of several numbers. */
  readonly isMonotone: boolean;
  /** Of differentiable ops. */
  forward(x: Value): Value;
  /** Of ONNX's own operators. */
  infer(x: Value): Value;
}

export type ActivationName =
  | 'linear'
  | 'relu'
  | 'sigmoid'
  | 'tanh'
  | 'softmax'
  | 'leaky_relu'
  | 'elu'
  | 'gelu'
  | 'silu'
  | 'swish'
  | 'softplus';

/** Keras' name of an activation, with Keras' defaults, or one of `activations` with others. */
export type Activation = ActivationName | ActivationFunction;

/** Activations by arguments, as keras.activations (https://keras.io/api/layers/activations/). */
export const activations = {
  leakyRelu({ negativeSlope = 0.2 }: { negativeSlope?: number } = {}): ActivationFunction {
    return {
      name: 'leaky_relu',
      isMonotone: negativeSlope >= 0,
      forward: (x) => op.leakyRelu(x, negativeSlope),
      infer: (x) => onnx.leakyRelu(x, negativeSlope),
    };
  },
  elu({ alpha = 1 }: { alpha?: number } = {}): ActivationFunction {
    return {
      name: 'elu',
      isMonotone: alpha >= 0,
      forward: (x) => op.elu(x, alpha),
      infer: (x) => onnx.elu(x, alpha),
    };
  },
  gelu({ approximate = false }: { approximate?: boolean } = {}): ActivationFunction {
    const forward = approximate ? geluApproximate : gelu;
    return { name: 'gelu', isMonotone: false, forward, infer: forward };
  },
};

const monotone = (name: ActivationName, forward: (x: Value) => Value, infer: (x: Value) => Value) => ({
  name,
  isMonotone: true,
  forward,
  infer,
});

const silu: ActivationFunction = { name: 'silu', isMonotone: false, forward: op.silu, infer: op.silu };

const byName: Record<ActivationName, ActivationFunction> = {
  linear: monotone(
    'linear',
    (x) => x,
    (x) => x,
  ),
  relu: monotone('relu', op.relu, onnx.relu),
  sigmoid: monotone('sigmoid', op.sigmoid, onnx.sigmoid),
  tanh: monotone('tanh', op.tanh, onnx.tanh),
  softmax: { name: 'softmax', isMonotone: false, forward: op.softmax, infer: onnx.softmax },
  leaky_relu: activations.leakyRelu(),
  elu: activations.elu(),
  gelu: activations.gelu(),
  silu,
  swish: silu,
  softplus: monotone('softplus', op.softplus, onnx.softplus),
};

/** @throws RangeError where no activation has that name. */
export function activationOf(activation: Activation): ActivationFunction {
  if (typeof activation !== 'string') return activation;
  if (Object.hasOwn(byName, activation)) return byName[activation];
  throw new RangeError(
    `There is no activation "${activation}": use one of ${Object.keys(byName).join(', ')}`,
  );
}

/** An activation as a layer of its own, as Keras' Activation. */
export function activation(activation: Activation, { name }: { name?: string } = {}): Layer {
  return activationLayer('Activation', activationOf(activation), { activation }, name);
}

/** Keras' LeakyReLU; its slope is 0.3, not the 0.2 of the activation 'leaky_relu'. */
export function leakyRelu({
  negativeSlope = 0.3,
  name,
}: {
  negativeSlope?: number;
  name?: string;
} = {}): Layer {
  return activationLayer('LeakyReLU', activations.leakyRelu({ negativeSlope }), { negativeSlope }, name);
}

/** Keras' ELU. */
export function elu({ alpha = 1, name }: { alpha?: number; name?: string } = {}): Layer {
  return activationLayer('ELU', activations.elu({ alpha }), { alpha }, name);
}

function activationLayer(
  type: string,
  { forward, infer }: ActivationFunction,
  config: Record<string, unknown>,
  name?: string,
): Layer {
  return sameShapeLayer({ type, name, config, forward, infer });
}
