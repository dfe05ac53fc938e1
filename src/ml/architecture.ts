import type { Input } from './layers/input.ts';
import type { Layer, Parameter } from './layers/layer.ts';
import { type Shape, ShapeError, staticSize } from './shape.ts';

/** A layer in its place: named, its shapes known, its parameters located in the model's flat weights. */
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

/** A checked stack of layers. */
export interface Architecture {
  input: Input;
  layers: PlacedLayer[];
  outputShape: Shape;
  parameterCount: number;
}

/** Checks that the layers fit on each other, names them and lays out their parameters.
 * @throws ShapeError that names the layer, what it got and what to do. */
export function architecture([first, ...rest]: (Input | Layer)[]): Architecture {
  if (first?.type !== 'InputLayer') {
    throw new ShapeError('A model must begin with input(shape), for example input([32, 32, 3])');
  }
  const input = first as Input;
  const nameOf = namer();
  const layers: PlacedLayer[] = [];
  let shape: Shape = ['N', ...input.shape];
  let offset = 0;
  for (const layer of rest as Layer[]) {
    const name = nameOf(layer);
    const outputShape = layer.outputShape(shape);
    const parameters = layer.parameters(shape).map((parameter) => {
      const placed = {
        ...parameter,
        name: `${name}/${parameter.name}`,
        offset,
        size: staticSize(parameter.shape),
      };
      offset += placed.size;
      return placed;
    });
    layers.push({ layer, name, inputShape: shape, outputShape, parameters });
    shape = outputShape;
  }
  return { input, layers, outputShape: shape, parameterCount: offset };
}

/** Keras' automatic names: conv2d, conv2d_1, conv2d_2. */
function namer(): (layer: Layer) => string {
  const taken = new Set<string>();
  return (layer) => {
    const stem = layer.name ?? snakeCase(layer.type);
    let name = stem;
    for (let count = 1; taken.has(name); count += 1) name = `${stem}_${count}`;
    if (layer.name !== undefined && name !== layer.name)
      throw new Error(`Two layers are named "${layer.name}"`);
    taken.add(name);
    return name;
  };
}

const snakeCase = (type: string): string => type.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
