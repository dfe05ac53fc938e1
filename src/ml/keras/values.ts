import { type Activation, type ActivationFunction, activationOf } from '../layers/activation.ts';
import type { Regularizer } from '../layers/layer.ts';
import { initializerOf, regularizerOf, serializeInitializer, serializeRegularizer } from './initializers.ts';

/** An object in Keras' configuration: a class and its arguments. */
export interface Serialized<Config = Record<string, unknown>> {
  module?: string | null;
  class_name: string;
  config: Config;
  registered_name?: string | null;
}

/** A value of a layer's configuration in our terms: lists, numbers and names stay, objects are made anew. */
export function decodeValue(key: string, value: unknown): unknown {
  if (key === 'activation' || key === 'recurrent_activation') return decodeActivation(value);
  if (key.endsWith('_initializer')) return initializerOf(value);
  if (key.endsWith('_regularizer')) return regularizerOf(value);
  return value;
}

/** A layer's argument in Keras' terms; undefined where Keras' default must do. */
export function encodeValue(key: string, value: unknown): unknown {
  if (key === 'activation' || key === 'recurrent_activation') return encodeActivation(value as Activation);
  if (key.endsWith('_initializer')) return serializeInitializer(value);
  if (key.endsWith('_regularizer')) return serializeRegularizer(value as Regularizer);
  return value;
}

/** Keras writes a name, or a function as an object. */
function decodeActivation(value: unknown): unknown {
  const name =
    typeof value === 'string' ? value : ((value as Serialized).config as unknown as string | undefined);
  if (typeof name !== 'string') throw new Error(`the activation ${JSON.stringify(value)} is not supported`);
  activationOf(name as Activation);
  return name;
}

function encodeActivation(activation: Activation): string {
  const { name } = activationOf(activation);
  const isDefault =
    typeof activation === 'string' || activation === (activationOf(name) as ActivationFunction);
  if (isDefault) return name;
  throw new Error(
    `the activation ${name} with arguments of its own has no name in Keras: use a layer such as leakyRelu()`,
  );
}
