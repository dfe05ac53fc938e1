import { glorotUniform, ones, zeros } from '../layers/initializers.ts';
import type { Initializer } from '../layers/layer.ts';
import type { Serialized } from './values.ts';

/** Initialisers by Keras' class names. */
const byClass: Record<string, (config: Record<string, unknown>) => Initializer> = {
  GlorotUniform: () => glorotUniform,
  Zeros: () => zeros,
  Ones: () => ones,
};

/** Undefined, our layer's default, for those that are not there: weights that come with a model replace them. */
export function initializerOf(value: unknown): Initializer | undefined {
  const { class_name: name, config } = value as Serialized;
  return Object.hasOwn(byClass, name) ? byClass[name]!(config ?? {}) : undefined;
}

/** Undefined for a function that Keras has no class for. */
export function serializeInitializer(value: unknown): Serialized | undefined {
  const found = Object.entries(byClass).find(([, make]) => make({}) === value);
  return found && { module: 'keras.initializers', class_name: found[0], config: {}, registered_name: null };
}
