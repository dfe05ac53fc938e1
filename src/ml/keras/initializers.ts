import * as initializers from '../layers/initializers.ts';
import type { Initializer, Regularizer } from '../layers/layer.ts';
import type { Serialized } from './values.ts';

/** Initialisers by Keras' class names. */
const byClass: Record<string, (config: never) => Initializer> = {
  Constant: ({ value }: { value?: number }) => initializers.constant(value),
  GlorotNormal: () => initializers.glorotNormal,
  GlorotUniform: () => initializers.glorotUniform,
  HeNormal: () => initializers.heNormal,
  HeUniform: () => initializers.heUniform,
  LecunNormal: () => initializers.lecunNormal,
  LecunUniform: () => initializers.lecunUniform,
  Ones: () => initializers.ones,
  Orthogonal: (config) => initializers.orthogonal(config),
  RandomNormal: (config) => initializers.randomNormal(config),
  RandomUniform: (config) => initializers.randomUniform(config),
  TruncatedNormal: (config) => initializers.truncatedNormal(config),
  Zeros: () => initializers.zeros,
};

/** Keras' names of those that are written by identity. */
const plain = Object.entries(byClass).filter(([, make]) => make.length === 0);

/** Keras 2 also writes names, as "zeros". Undefined, our layer's default, for those that are not there. */
export function initializerOf(value: unknown): Initializer | undefined {
  if (typeof value === 'string') {
    const name = value.replace(/(^|_)([a-z])/g, (_, _before, letter: string) => letter.toUpperCase());
    return initializerOf({ class_name: name, config: {} });
  }
  const { class_name: name, config } = value as Serialized;
  // Each takes what it knows of a configuration.
  return Object.hasOwn(byClass, name) ? byClass[name]!((config ?? {}) as never) : undefined;
}

/** Undefined for a function that Keras has no class for: the weights that are saved with it count. */
export function serializeInitializer(value: unknown): Serialized | undefined {
  const found = plain.find(([, make]) => make({} as never) === value);
  return found && { module: 'keras.initializers', class_name: found[0], config: {}, registered_name: null };
}

/** @throws Error where it is none of L1, L2 and both. */
export function regularizerOf(value: unknown): Regularizer {
  const { class_name: name, config } = value as Serialized<{ l1?: number; l2?: number }>;
  if (!['L1', 'L2', 'L1L2'].includes(name)) throw new Error(`the regularizer ${name} is not supported`);
  return { l1: config.l1 ?? 0, l2: config.l2 ?? 0 };
}

export const serializeRegularizer = ({ l1, l2 }: Regularizer): Serialized => ({
  module: 'keras.regularizers',
  class_name: 'L1L2',
  config: { l1, l2 },
  registered_name: null,
});
