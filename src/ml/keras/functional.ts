import type { Architecture, PlacedNode } from '../architecture.ts';
import type { Input } from '../layers/input.ts';
import type { Layer, SymbolicTensor } from '../layers/layer.ts';
import { shapeOf } from '../layers/layer.ts';
import { decodeInput, encodeInput } from './input-config.ts';
import { decodeLayer, encodeLayer, format, type Place } from './layer-config.ts';
import type { Serialized } from './values.ts';

/** A layer of a functional model in a file. */
interface FunctionalLayer extends Serialized {
  name: string;
  /** One entry each time the layer is applied. */
  inbound_nodes: unknown[];
}

/** A layer's output, as Keras points to it: layer, which of its uses, which of its outputs. */
type History = [layer: string, node: number, output: number];

/** The inputs and outputs of a Functional model that Keras 3 or Keras 2 wrote.
 * @throws Error that names the layer which is not supported, with its place. */
export function decodeFunctional(config: Record<string, unknown>): {
  inputs: Input[];
  outputs: SymbolicTensor[];
} {
  const list = config.layers as FunctionalLayer[];
  const tensors = new Map<string, SymbolicTensor>();
  const layers = new Map<string, Layer>();
  const waiting = list.flatMap((serialized, index) => {
    const place = { index, name: serialized.name ?? String(serialized.config.name) };
    if (serialized.class_name === 'InputLayer') {
      tensors.set(keyOf([place.name, 0, 0]), decodeInput(serialized.config, place.name));
      return [];
    }
    return (serialized.inbound_nodes ?? []).map((node, at) => ({
      serialized,
      place,
      at,
      sources: sourcesOf(node, place),
    }));
  });
  // Each round applies what has all its inputs; a file in which no more can be applied is damaged.
  for (let left = waiting; left.length > 0; ) {
    const ready = left.filter(({ sources }) => sources.every((source) => tensors.has(keyOf(source))));
    if (ready.length === 0)
      throw new Error(`${format(left[0]!.place)} needs a layer that is not there, or itself`);
    for (const { serialized, place, at, sources } of ready) {
      const inputs = sources.map((source) => tensors.get(keyOf(source))!);
      const rank = inputs[0] ? shapeOf(inputs[0]).length : 0;
      const layer = layers.get(place.name) ?? decodeLayer(serialized, place, rank);
      layers.set(place.name, layer);
      tensors.set(keyOf([place.name, at, 0]), applied(layer, inputs, place));
    }
    left = left.filter((node) => !ready.includes(node));
  }
  const found = (histories: unknown) =>
    historiesOf(histories).map((history) => {
      const tensor = tensors.get(keyOf(history));
      if (tensor) return tensor;
      throw new Error(`The model's end "${history[0]}" is not there`);
    });
  return { inputs: found(config.input_layers) as Input[], outputs: found(config.output_layers) };
}

function applied(layer: Layer, inputs: SymbolicTensor[], place: Place): SymbolicTensor {
  try {
    return layer.apply(...inputs);
  } catch (cause) {
    throw new Error(`${format(place)}: ${(cause as Error).message}`, { cause });
  }
}

const keyOf = ([layer, node, output]: History): string => JSON.stringify([layer, node, output]);

/** What a use of a layer takes: `{ args, kwargs }` of Keras 3, a list of histories with arguments of Keras 2. */
function sourcesOf(node: unknown, place: Place): History[] {
  if (Array.isArray(node)) {
    return node.flatMap((source) => {
      const [layer, at, output, kwargs = {}] = source as [...History, Record<string, unknown>?];
      const { value, key, ...others } = kwargs as { value?: History; key?: History };
      checkArguments(others, place);
      return [[layer, at, output] as History, ...[value, key].flatMap((each) => (each ? [each] : []))];
    });
  }
  const { args = [], kwargs = {} } = node as { args?: unknown[]; kwargs?: Record<string, unknown> };
  const { query, value, key, ...others } = kwargs;
  checkArguments(others, place);
  return [...args, query, value, key].flat().flatMap((argument) => {
    if (argument === undefined || argument === null) return [];
    const history = (argument as Serialized<{ keras_history?: History }>).config?.keras_history;
    if (history) return [history];
    throw new Error(`${format(place)} is called with ${JSON.stringify(argument)}, which is not supported`);
  });
}

function checkArguments(kwargs: Record<string, unknown>, place: Place): void {
  const other = Object.entries(kwargs).find(
    ([key, value]) => key !== 'training' && key !== 'mask' && value !== null && value !== false,
  );
  if (other)
    throw new Error(
      `${format(place)} is called with ${other[0]} = ${JSON.stringify(other[1])}, which is not supported`,
    );
}

/** One history alone, or a list of them. */
function historiesOf(value: unknown): History[] {
  const list = value as History | History[];
  if (!Array.isArray(list)) throw new Error('The model does not name its inputs and outputs');
  return typeof list[0] === 'string' ? [list as History] : (list as History[]);
}

/** A model's graph as Keras 3's Functional. */
export function encodeFunctional(model: Architecture): Record<string, unknown> {
  const histories = new Map<number, History>(model.inputs.map(({ name }, index) => [index, [name, 0, 0]]));
  const uses = new Map<string, PlacedNode[]>();
  for (const node of model.nodes) {
    const { name } = node.placed;
    const earlier = uses.get(name) ?? [];
    histories.set(node.output, [name, earlier.length, 0]);
    uses.set(name, [...earlier, node]);
  }
  const shapes = new Map<number, readonly unknown[]>([
    ...model.inputs.map(({ input }, index) => [index, ['N', ...input.shape]] as const),
    ...model.nodes.map((node) => [node.output, node.outputShape] as const),
  ]);
  const open = (tensor: number) => shapes.get(tensor)!.map((dim) => (typeof dim === 'number' ? dim : null));
  const tensorOf = (tensor: number) => ({
    class_name: '__keras_tensor__',
    config: { shape: open(tensor), dtype: 'float32', keras_history: histories.get(tensor) },
  });
  const inputs = model.inputs.map(({ name, input }) => ({
    ...encodeInput(input, name),
    name,
    inbound_nodes: [],
  }));
  const layers = model.layers.map(({ layer, name }, index) => {
    const nodes = uses.get(name)!;
    const place = { index: index + inputs.length, name };
    const shape = nodes[0]!.inputs.map(open);
    const inbound = nodes.map((node) => {
      const tensors = node.inputs.map(tensorOf);
      // Keras' attention takes query and value as two arguments, what merges takes one list.
      if (layer.type === 'MultiHeadAttention')
        return { args: tensors.length === 1 ? [tensors[0], tensors[0]] : tensors, kwargs: {} };
      return { args: tensors.length === 1 ? tensors : [tensors], kwargs: {} };
    });
    const { build_config: built, ...serialized } = encodeLayer(
      layer,
      place,
      shape.length === 1 ? shape[0] : shape,
    );
    // Keras builds attention from query and value when it is called.
    const isBuiltByCall = layer.type === 'MultiHeadAttention';
    return { ...serialized, ...(!isBuiltByCall && { build_config: built }), name, inbound_nodes: inbound };
  });
  return {
    layers: [...inputs, ...layers],
    input_layers: model.inputs.map((_, index) => histories.get(index)),
    output_layers: model.outputs.map(({ tensor }) => histories.get(tensor)),
  };
}

/** A use of a layer as Keras 2 writes it: a list of histories, each with the call's other arguments. */
export const legacyNode = (place: Place, node: unknown): unknown => {
  return sourcesOf(node, place).map((source) => [...source, {}]);
};

/** Whether each layer takes what the one before it gives, and no more. */
export function isStack({ inputs, nodes, outputs, layers }: Architecture): boolean {
  if (inputs.length !== 1 || outputs.length !== 1 || nodes.length !== layers.length) return false;
  const isChain = nodes.every(({ inputs: taken }, index) => taken.length === 1 && taken[0] === index);
  return (
    isChain &&
    outputs[0]!.tensor === nodes.length &&
    !layers.some(({ layer }) => layer.type === 'MultiHeadAttention')
  );
}
