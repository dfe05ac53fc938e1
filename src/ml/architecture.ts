import { type Input, input } from './layers/input.ts';
import {
  type Application,
  type Layer,
  type Parameter,
  type SymbolicTensor,
  shapeOf,
} from './layers/layer.ts';
import { type Shape, ShapeError, sameShape, staticSize } from './shape.ts';

/** A layer in its place: named, its shapes known, its parameters located in the model's flat weights. The shapes
 * of a shared layer are those of its first use. */
export interface PlacedLayer {
  layer: Layer;
  name: string;
  inputShape: Shape;
  outputShape: Shape;
  parameters: PlacedParameter[];
}

export interface PlacedParameter extends Parameter {
  /** Where it starts in the flat weights, in elements. */
  offset: number;
  size: number;
}

/** One use of a layer. Tensors are numbered: the model's inputs first, then each node's output. */
export interface PlacedNode {
  placed: PlacedLayer;
  inputs: number[];
  output: number;
  outputShape: Shape;
}

/** A checked graph of layers. */
export interface Architecture {
  /** What a training takes: the input, or one that holds all the numbers of several (`packed-inputs.ts`). */
  input: Input;
  inputs: { name: string; input: Input }[];
  /** In Keras' order, which is that of the weights. */
  layers: PlacedLayer[];
  /** In an order of computation. */
  nodes: PlacedNode[];
  /** Numbers of the tensors that the model gives, named after their layers. */
  outputs: { name: string; tensor: number; shape: Shape }[];
  /** The first output's. */
  outputShape: Shape;
  parameterCount: number;
}

/** Checks that the layers of a stack fit on each other, names them and lays out their parameters.
 * @throws ShapeError that names the layer, what it got and what to do. */
export function architecture([first, ...rest]: (Input | Layer)[]): Architecture {
  if (first?.type !== 'InputLayer') {
    throw new ShapeError('A model must begin with input(shape), for example input([32, 32, 3])');
  }
  const begin = first as Input;
  rest.forEach((layer, index) => {
    if (typeof (layer as Partial<Layer>)?.apply === 'function' && typeof layer === 'object') return;
    const given =
      typeof layer === 'function' ? `the function ${(layer as { name: string }).name}: call it` : 'none';
    throw new TypeError(
      `sequential: element ${index + 1} is ${given}; give layers that were made, as dense(10)`,
    );
  });
  const output = (rest as Layer[]).reduce<SymbolicTensor>((tensor, layer) => layer.apply(tensor), begin);
  return graphArchitecture([begin], [output]);
}

/** The layers between inputs and outputs. Layers and nodes stand in the order of Keras' Functional: farthest from
 * the outputs first (https://github.com/keras-team/keras, `src/ops/function.py`, `map_graph`). */
export function graphArchitecture(inputs: Input[], outputs: SymbolicTensor[]): Architecture {
  if (inputs.length === 0 || outputs.length === 0) throw new ShapeError('A model needs inputs and outputs');
  const { applications, depths, layerOrder } = trace(inputs, outputs);
  const layers = placeLayers(layerOrder, applications);
  const placedBy = new Map(layers.map((placed) => [placed.layer, placed]));
  const numbers = new Map<SymbolicTensor, number>(inputs.map((tensor, index) => [tensor, index]));
  const nodes = applications
    .toSorted((a, b) => depths.get(b)! - depths.get(a)!)
    .map((application, index): PlacedNode => {
      numbers.set(application, inputs.length + index);
      return {
        placed: placedBy.get(application.layer)!,
        inputs: application.inputs.map((tensor) => numbers.get(tensor)!),
        output: inputs.length + index,
        outputShape: application.outputShape,
      };
    });
  const inputName = namer('input_layer');
  const outputName = namer('output');
  return {
    input: inputs.length === 1 ? inputs[0]! : packed(inputs),
    inputs: inputs.map((input) => ({ name: inputName(input.name), input })),
    layers,
    nodes,
    outputs: outputs.map((output) => ({
      name: outputName(output.type === 'Application' ? placedBy.get(output.layer)!.name : undefined),
      tensor: numbers.get(output)!,
      shape: shapeOf(output),
    })),
    outputShape: shapeOf(outputs[0]!),
    parameterCount: layers
      .flatMap((placed) => placed.parameters)
      .reduce((total, parameter) => total + parameter.size, 0),
  };
}

const packed = (inputs: Input[]): Input =>
  input([inputs.reduce((total, { shape }) => total + staticSize(shape), 0)]);

/** Walks from the outputs to the inputs: every application after those that it needs, and its distance to the
 * farthest output. */
function trace(inputs: Input[], outputs: SymbolicTensor[]) {
  const known = new Set<SymbolicTensor>(inputs);
  const firstMet = new Map<Layer, number>();
  const applications: Application[] = [];
  const visit = (tensor: SymbolicTensor): void => {
    if (known.has(tensor)) return;
    if (tensor.type === 'InputLayer') {
      throw new ShapeError(
        `An output depends on input([${tensor.shape.join(', ')}]), which is not among the model's inputs`,
      );
    }
    known.add(tensor);
    if (!firstMet.has(tensor.layer)) firstMet.set(tensor.layer, firstMet.size);
    for (const input of tensor.inputs) visit(input);
    applications.push(tensor);
  };
  for (const output of outputs) visit(output);
  const depths = new Map<SymbolicTensor, number>();
  const layerDepths = new Map<Layer, number>();
  for (const application of applications.toReversed()) {
    const depth = depths.get(application) ?? 0;
    depths.set(application, depth);
    layerDepths.set(application.layer, Math.max(depth, layerDepths.get(application.layer) ?? 0));
    for (const input of application.inputs) depths.set(input, Math.max(depth + 1, depths.get(input) ?? 0));
  }
  const layerOrder = [...firstMet.keys()].toSorted(
    (a, b) => layerDepths.get(b)! - layerDepths.get(a)! || firstMet.get(a)! - firstMet.get(b)!,
  );
  return { applications, depths, layerOrder };
}

function placeLayers(layerOrder: Layer[], applications: Application[]): PlacedLayer[] {
  const nameOf = layerNamer();
  let offset = 0;
  return layerOrder.map((layer) => {
    const [first, ...others] = applications.filter((application) => application.layer === layer);
    const shapes = first!.inputs.map(shapeOf);
    const name = nameOf(layer);
    const declared = parametersOf(layer, shapes);
    for (const other of others) checkShared(name, declared, parametersOf(layer, other.inputs.map(shapeOf)));
    const parameters = declared.map((parameter) => {
      const size = staticSize(parameter.shape);
      offset += size;
      return { ...parameter, name: `${name}/${parameter.name}`, offset: offset - size, size };
    });
    return { layer, name, inputShape: shapes[0]!, outputShape: first!.outputShape, parameters };
  });
}

const parametersOf = (layer: Layer, [first, ...others]: Shape[]): Parameter[] =>
  layer.parameters(first!, ...others);

function checkShared(name: string, first: Parameter[], other: Parameter[]): void {
  other.forEach(({ name: parameter, shape }, index) => {
    const expected = first[index]!.shape;
    if (sameShape(shape, expected)) return;
    throw new ShapeError(
      `${name} is shared, but its ${parameter} would be [${expected.join(', ')}] in one place and ` +
        `[${shape.join(', ')}] in another: give it inputs of one shape`,
    );
  });
}

/** Keras' automatic names: conv2d, conv2d_1, conv2d_2. */
function layerNamer(): (layer: Layer) => string {
  const taken = new Set<string>();
  return (layer) => {
    const name = free(layer.name ?? snakeCase(layer.type), taken);
    if (layer.name !== undefined && name !== layer.name)
      throw new Error(`Two layers are named "${layer.name}"`);
    return name;
  };
}

function namer(stem: string): (name: string | undefined) => string {
  const taken = new Set<string>();
  return (name) => free(name ?? stem, taken);
}

function free(stem: string, taken: Set<string>): string {
  let name = stem;
  for (let count = 1; taken.has(name); count += 1) name = `${stem}_${count}`;
  taken.add(name);
  return name;
}

/** As Keras' `to_snake_case`: GRU is gru, MaxPooling2D is max_pooling2d, PReLU is p_re_lu. */
const snakeCase = (type: string): string =>
  type
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
