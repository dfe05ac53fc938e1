import type { Layer } from '../layers/layer.ts';
import { ShapeError } from '../shape.ts';
import { type LayerEntry, registry } from './registry.ts';
import { decodeValue, encodeValue, type Serialized } from './values.ts';

/** Keras' names that are not the snake case of ours. */
const renamed: Record<string, string> = { keepdims: 'keepDims' };
const renamedBack = Object.fromEntries(Object.entries(renamed).map(([theirs, ours]) => [ours, theirs]));

/** Keras 2's names of arguments that Keras 3 calls otherwise. */
const aliases: Record<string, Record<string, string>> = { LeakyReLU: { alpha: 'negative_slope' } };

/** What Keras 2 calls an argument of Keras 3. */
export function legacyName(type: string, key: string): string {
  if (key === 'batch_shape') return 'batch_input_shape';
  return Object.entries(aliases[type] ?? {}).find(([, name]) => name === key)?.[0] ?? key;
}

/** What says nothing of the numbers: names, seeds, and how Keras runs a layer. */
const ignored = new Set(
  'name batch_input_shape batch_shape seed quantization_config trainable implementation unroll time_major sparse ragged input_length'.split(
    ' ',
  ),
);

/** Where a layer stands in its file, for messages. */
export interface Place {
  index: number;
  name: string;
}

/** Makes the layer that a file declares.
 * @throws Error that names the layer, its place, and the argument that is not supported. */
export function decodeLayer({ class_name: type, config }: Serialized, place: Place, rank: number): Layer {
  if (!Object.hasOwn(registry, type)) {
    throw new Error(
      `${format(place)}: ${type} is not supported; supported are ${Object.keys(registry).join(', ')}`,
    );
  }
  const entry = registry[type]!;
  try {
    const args = decodeArguments(type, entry, config, { place, rank });
    const layer = entry.make({ name: place.name, ...args });
    if (config.trainable === false) layer.trainable = false;
    return layer;
  } catch (cause) {
    // A shape's error says enough but for the place.
    const { message } = cause as Error;
    throw new (cause instanceof ShapeError ? ShapeError : Error)(`${format(place)}: ${message}`, { cause });
  }
}

export const format = ({ index, name }: Place): string => `layer ${index} "${name}"`;

function decodeArguments(
  type: string,
  entry: LayerEntry,
  config: Record<string, unknown>,
  { place, rank }: { place: Place; rank: number },
) {
  const args: Record<string, unknown> = {};
  for (const [given, value] of Object.entries(config)) {
    const key = aliases[type]?.[given] ?? given;
    if (entry.accepts.includes(key)) {
      if (value === null) continue;
      const decoded = isLayer(key) ? decodeInner(value, place, rank) : decodeValue(key, value);
      if (decoded !== undefined) args[renamed[key] ?? toCamelCase(key)] = decoded;
    } else if (!isNeutral(key, value, entry, rank)) {
      throw new Error(`${type}'s argument ${given} = ${brief(value)} is not supported`);
    }
  }
  return args;
}

const isLayer = (key: string): boolean => key === 'layer' || key === 'backward_layer';

/** The layer that a layer such as Bidirectional is made of. */
function decodeInner(value: unknown, { index }: Place, rank: number): Layer {
  const { zero_output_for_mask: _, ...config } = (value as Serialized).config;
  // Bidirectional sets it for what it is made of; it is not an argument of the user's.
  const inner = { ...(value as Serialized), config };
  return decodeLayer(inner, { index, name: String(inner.config?.name ?? inner.class_name) }, rank);
}

/** Whether an argument that we lack is at the value by which it changes nothing. */
function isNeutral(key: string, value: unknown, { fixed }: LayerEntry, rank: number): boolean {
  if (ignored.has(key) || value === null || value === false) return true;
  // Keras 2 gives SeparableConv2D some that it does not use.
  if (key.endsWith('_initializer')) return true;
  if (key === 'data_format') return value === 'channels_last';
  if (key === 'dtype') return isFloat32(value);
  if (key === 'axis' && fixed.axis === -1) {
    const axes = Array.isArray(value) ? value : [value];
    return axes.length === 1 && (axes[0] === -1 || axes[0] === rank - 1);
  }
  return Object.hasOwn(fixed, key) && JSON.stringify(fixed[key]) === JSON.stringify(value);
}

function isFloat32(dtype: unknown): boolean {
  if (typeof dtype === 'string') return dtype === 'float32';
  return (dtype as Serialized).config?.name === 'float32';
}

/** A layer as Keras 3 writes it.
 * @throws Error where Keras has no such layer. */
export function encodeLayer(
  layer: Layer,
  place: Place,
  inputShape: unknown,
): Serialized & { build_config: unknown } {
  const entry = registry[layer.type];
  if (!entry || !layer.config) throw new Error(`${format(place)}: Keras has no layer ${layer.type}`);
  const config: Record<string, unknown> = { name: place.name, trainable: layer.trainable, dtype: 'float32' };
  for (const [name, value] of Object.entries(layer.config)) {
    const key = renamedBack[name] ?? toSnakeCase(name);
    if (value === undefined || !entry.accepts.includes(key)) continue;
    try {
      const encoded = isLayer(key) ? encodeInner(value as Layer, place, key) : encodeValue(key, value);
      if (encoded !== undefined) config[key] = encoded;
    } catch (cause) {
      throw new Error(`${format(place)}: ${(cause as Error).message}`, { cause });
    }
  }
  return {
    module: 'keras.layers',
    class_name: layer.type,
    config,
    registered_name: null,
    build_config: { input_shape: inputShape },
  };
}

/** Keras names the layers inside others, and does not build them before those. */
function encodeInner(layer: Layer, { index }: Place, key: string): Serialized {
  const name = layer.name ?? `${layer.type.toLowerCase()}_${key}`;
  const { build_config: _, ...serialized } = encodeLayer(layer, { index, name }, null);
  return serialized;
}

const brief = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

const toCamelCase = (key: string): string =>
  key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const toSnakeCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
