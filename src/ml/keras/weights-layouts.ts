import type { PlacedLayer, PlacedParameter } from '../architecture.ts';
import type { Sequential } from '../sequential.ts';
import { type Hdf5Reader, type Hdf5Writer, readHdf5, writeHdf5 } from './hdf5.ts';
import { format } from './layer-config.ts';
import { registry } from './registry.ts';

/** Sets a model's weights from an HDF5 file: Keras 3's `.weights.h5`, or the legacy layout of `.h5`.
 * @throws Error that names the layer whose weights are missing or of another shape; the model stays as it was. */
export async function readWeights(model: Sequential, bytes: Uint8Array): Promise<void> {
  model.weights = await readHdf5(bytes, (file) => {
    const layout = isLegacy(file) ? legacyPaths(file) : currentPaths(model, namedGroups(file));
    const weights = new Float32Array(model.architecture.parameterCount);
    model.architecture.layers.forEach((placed, index) => {
      if (placed.parameters.length > 0)
        readLayer(file, placed, layout(placed, index), { index, into: weights });
    });
    return weights;
  });
}

function readLayer(
  file: Hdf5Reader,
  { name, parameters }: PlacedLayer,
  paths: string[],
  { index, into }: { index: number; into: Float32Array },
): void {
  const place = format({ index: index + 1, name });
  if (paths.length !== parameters.length) {
    throw new Error(`${place} has ${parameters.length} weights, the file has ${paths.length} for it`);
  }
  parameters.forEach((parameter, position) => {
    const path = paths[position]!;
    const shape = file.shape(path);
    if (shape?.join() !== parameter.shape.join()) {
      const found = shape ? `it as [${shape.join(', ')}]` : 'none';
      throw new Error(
        `${place} needs ${shortName(parameter)} [${parameter.shape.join(', ')}], the file has ${found} at "${path}"`,
      );
    }
    into.set(file.floats(path), parameter.offset);
  });
}

const shortName = ({ name }: PlacedParameter): string => name.slice(name.lastIndexOf('/') + 1);

type PathsOf = (placed: PlacedLayer, index: number) => string[];

/** Keras 3 files each layer under its class's snake-case name, numbered where there are several. */
function currentPaths(model: Sequential, known?: Map<string, string>): PathsOf {
  const taken = new Map<string, number>();
  const groups = new Map<PlacedLayer, string>();
  for (const placed of model.architecture.layers) {
    const stem = toSnakeCase(placed.layer.type);
    const count = taken.get(stem) ?? 0;
    taken.set(stem, count + 1);
    groups.set(placed, known?.get(placed.name) ?? (count === 0 ? stem : `${stem}_${count}`));
  }
  return (placed) => {
    const count = placed.parameters.length;
    const paths =
      registry[placed.layer.type]?.weightPaths?.(count) ??
      placed.parameters.map((_, index) => `vars/${index}`);
    return paths.map((path) => `layers/${groups.get(placed)}/${path}`);
  };
}

/** The groups of the file by the names of their layers, which Keras notes beside the weights. */
function namedGroups(file: Hdf5Reader): Map<string, string> {
  const groups = file.names('layers').map((group) => [file.text(`layers/${group}/vars`, 'name'), group]);
  return new Map(groups.filter((entry): entry is [string, string] => entry[0] !== undefined));
}

/** `naming.to_snake_case` of Keras: LeakyReLU is leaky_re_lu. */
const toSnakeCase = (type: string): string =>
  type
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();

const isLegacy = (file: Hdf5Reader): boolean => legacyRoot(file) !== undefined;

/** A whole model has its weights in a group of their own, a file of weights at the top. */
const legacyRoot = (file: Hdf5Reader): string | undefined =>
  ['model_weights', ''].find((path) => file.texts(path, 'layer_names') !== undefined);

/** Keras 2 lists layers and their weights in attributes. Layers are found by name, or else by their order. */
function legacyPaths(file: Hdf5Reader): PathsOf {
  const root = legacyRoot(file)!;
  const join = (...parts: string[]) => parts.filter(Boolean).join('/');
  const names = file.texts(root, 'layer_names')!;
  const weighty = names.filter((name) => (file.texts(join(root, name), 'weight_names') ?? []).length > 0);
  let position = 0;
  return ({ name }) => {
    const next = weighty[position++];
    const group = weighty.includes(name) ? name : next;
    if (group === undefined) return [];
    return file.texts(join(root, group), 'weight_names')!.map((weight) => join(root, group, weight));
  };
}

/** Keras 3's `.weights.h5`. */
export const writeWeights = (model: Sequential): Promise<Uint8Array> =>
  writeHdf5((file) => {
    file.text('vars', 'name', model.name);
    const pathsOf = currentPaths(model);
    model.architecture.layers.forEach((placed, index) => {
      const paths = pathsOf(placed, index);
      if (paths.length > 0)
        file.text(`${paths[0]!.split('/').slice(0, 2).join('/')}/vars`, 'name', placed.name);
      writeLayer(file, model, placed, paths);
    });
  });

/** The legacy layout under `root`, which a whole model's `.h5` has as `model_weights`. */
export function writeLegacyWeights(file: Hdf5Writer, model: Sequential, root: string): void {
  file.texts(
    root,
    'layer_names',
    model.architecture.layers.map(({ name }) => name),
  );
  for (const placed of model.architecture.layers) {
    const names = placed.parameters.map(({ name }) => `${name}:0`);
    const group = `${root}/${placed.name}`;
    file.texts(group, 'weight_names', names);
    const paths = names.map((name) => `${group}/${name}`);
    writeLayer(file, model, placed, paths);
  }
}

function writeLayer(file: Hdf5Writer, model: Sequential, { parameters }: PlacedLayer, paths: string[]): void {
  parameters.forEach(({ offset, size, shape }, index) => {
    file.floats(paths[index]!, model.weights.slice(offset, offset + size), shape);
  });
}
