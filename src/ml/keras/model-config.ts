import { type Architecture, architecture } from '../architecture.ts';
import { type Input, input } from '../layers/input.ts';
import type { Layer } from '../layers/layer.ts';
import { type Sequential, type SequentialOptions, sequential } from '../sequential.ts';
import type { Shape } from '../shape.ts';
import { decodeLayer, encodeLayer, format } from './layer-config.ts';
import type { Serialized } from './values.ts';

/** A model of this many parameters is a damaged or hostile file (8 GiB of float32). */
const parametersMax = 2 ** 31;

export type KerasModelOptions = Omit<SequentialOptions, 'name'> & {
  /** Refuses a model that has more; set to what the file can hold. */
  parametersMax?: number;
};

/** A model as Keras' `to_json()` writes it; weights are not in it.
 * @throws Error where Keras has no such layer. */
export function toJSON(model: Sequential): Serialized {
  const { input: first, layers } = model.architecture;
  const shape = [null, ...first.shape];
  const open = (dims: Shape) => dims.map((dim) => (typeof dim === 'number' ? dim : null));
  return {
    module: 'keras',
    class_name: 'Sequential',
    config: {
      name: model.name,
      trainable: true,
      layers: [
        inputLayer(first),
        ...layers.map(({ layer, name, inputShape }, index) =>
          encodeLayer(layer, { index: index + 1, name }, open(inputShape)),
        ),
      ],
      build_input_shape: shape,
    },
    registered_name: null,
  };
}

const inputLayer = ({ shape, dtype }: Input): Serialized => ({
  module: 'keras.layers',
  class_name: 'InputLayer',
  config: { batch_shape: [null, ...shape], dtype, name: 'input_layer' },
  registered_name: null,
});

/** The model that `to_json()` of Keras 3 or Keras 2 wrote, with fresh weights.
 * @throws Error that names the layer or argument that is not supported, and its place. */
export function fromJSON(json: unknown, options: KerasModelOptions = {}): Sequential {
  const { class_name: type, config } = asSerialized(
    typeof json === 'string' ? JSON.parse(json) : json,
    'the model',
  );
  if (type !== 'Sequential') throw new Error(`A ${type} model is not supported; supported is Sequential`);
  // Before Keras 2.3 the configuration was the list itself.
  const list = Array.isArray(config) ? config : config.layers;
  if (!Array.isArray(list) || list.length === 0) throw new Error('The model has no list of layers');
  const layers = decodeStack(list.map((layer, index) => asSerialized(layer, `layer ${index}`)));
  checkSize(architecture(layers), options.parametersMax ?? parametersMax);
  const { parametersMax: _, ...modelOptions } = options;
  return sequential(layers, { ...modelOptions, name: String(config.name ?? 'sequential') });
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

/** Keras 3 writes `batch_shape`, Keras 2 `batch_input_shape`, in the first layer where no input is declared. */
function decodeInput(config: Record<string, unknown>): Input {
  const shape = (config.batch_shape ?? config.batch_input_shape) as (number | null)[] | undefined;
  if (!Array.isArray(shape)) {
    throw new Error(
      'The model does not say the shape of its input: build it, or add keras.Input(shape), and save again',
    );
  }
  const [, ...dims] = shape;
  if (dims.some((dim) => typeof dim !== 'number')) {
    throw new Error(`The input's shape [${shape.join(', ')}] is open: only the batch dimension may be`);
  }
  const dtype = config.dtype === 'uint8' ? 'uint8' : 'float32';
  return input(dims as number[], { dtype });
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
