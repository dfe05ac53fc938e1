import { type Architecture, architecture, graphArchitecture } from '../architecture.ts';
import type { Input } from '../layers/input.ts';
import type { Layer } from '../layers/layer.ts';
import { model as functionalModel } from '../model.ts';
import { type Sequential, type SequentialOptions, sequential } from '../sequential.ts';
import type { Shape } from '../shape.ts';
import { decodeFunctional, encodeFunctional, isStack } from './functional.ts';
import { decodeInput, encodeInput } from './input-config.ts';
import { decodeLayer, encodeLayer, format } from './layer-config.ts';
import type { Serialized } from './values.ts';

/** A model of this many parameters is a damaged or hostile file (8 GiB of float32). */
const parametersMax = 2 ** 31;

export type KerasModelOptions = Omit<SequentialOptions, 'name'> & {
  /** Refuses a model that has more; set to what the file can hold. */
  parametersMax?: number;
};

/** A model as Keras' `to_json()` writes it, Sequential where it is a stack, else Functional; weights are not in it.
 * @throws Error where Keras has no such layer. */
export function toJSON({ name, architecture: placed }: Sequential): Serialized {
  const isSequential = isStack(placed);
  return {
    module: isSequential ? 'keras' : 'keras.src.models.functional',
    class_name: isSequential ? 'Sequential' : 'Functional',
    config: { name, trainable: true, ...(isSequential ? encodeStack(placed) : encodeFunctional(placed)) },
    registered_name: null,
  };
}

function encodeStack({ inputs, layers }: Architecture): Record<string, unknown> {
  const [{ input: first, name }] = inputs as [Architecture['inputs'][number]];
  const open = (dims: Shape) => dims.map((dim) => (typeof dim === 'number' ? dim : null));
  return {
    layers: [
      encodeInput(first, name),
      ...layers.map(({ layer, name, inputShape }, index) =>
        encodeLayer(layer, { index: index + 1, name }, open(inputShape)),
      ),
    ],
    build_input_shape: [null, ...first.shape],
  };
}

/** The model that `to_json()` of Keras 3 or Keras 2 wrote, with fresh weights.
 * @throws Error that names the layer or argument that is not supported, and its place. */
export function fromJSON(json: unknown, options: KerasModelOptions = {}): Sequential {
  const parsed = typeof json === 'string' ? JSON.parse(json) : json;
  const { class_name: type, config } = asSerialized(parsed, 'the model');
  const isFunctional = type === 'Functional' || type === 'Model';
  if (type !== 'Sequential' && !isFunctional) {
    throw new Error(`A ${type} model is not supported; supported are Sequential and Functional`);
  }
  const { parametersMax: most = parametersMax, ...rest } = options;
  const modelOptions = { ...rest, name: String(config.name ?? type.toLowerCase()) };
  // Before Keras 2.3 a Sequential's configuration was the list itself.
  const list = Array.isArray(config) ? config : config.layers;
  if (!Array.isArray(list) || list.length === 0) throw new Error('The model has no list of layers');
  const layers = list.map((layer, index) => asSerialized(layer, `layer ${index}`));
  if (isFunctional) {
    const ends = decodeFunctional({ ...config, layers });
    checkSize(graphArchitecture(ends.inputs, ends.outputs), most);
    return functionalModel({ ...ends, ...modelOptions });
  }
  const stack = decodeStack(layers);
  checkSize(architecture(stack), most);
  return sequential(stack, modelOptions);
}

function decodeStack(list: Serialized[]): (Input | Layer)[] {
  const [first] = list;
  const isDeclared = first!.class_name === 'InputLayer';
  const start = decodeInput(first!.config);
  let shape: Shape = ['N', ...start.shape];
  const layers = list.slice(isDeclared ? 1 : 0).map((serialized, offset) => {
    const index = offset + (isDeclared ? 1 : 0);
    const place = { index, name: String(serialized.config.name ?? serialized.class_name) };
    const layer = decodeLayer(serialized, place, shape.length);
    try {
      shape = layer.outputShape(shape);
    } catch (cause) {
      throw new Error(`${format(place)}: ${(cause as Error).message}`, { cause });
    }
    return layer;
  });
  return [start, ...layers];
}

function checkSize({ parameterCount }: Architecture, most: number): void {
  if (parameterCount <= most) return;
  throw new Error(`The model declares ${parameterCount} parameters, but the file can hold ${most} at most`);
}

function asSerialized(value: unknown, what: string): Serialized {
  const { class_name: type, config } = (value ?? {}) as Partial<Serialized>;
  if (typeof type === 'string' && typeof config === 'object' && config) return value as Serialized;
  throw new Error(`${what} has no class_name and config, as Keras writes them`);
}
