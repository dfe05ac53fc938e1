import { join, normalize, sep } from 'node:path';
import type { TrainingDataset } from '../../api/parts/trainingDataset.ts';
import type { BatchSource, Tensor } from '../../ml/index.ts';
import { splitExamples, takeExamples } from './split-examples.ts';

/** Examples in memory: x [count, …], and class numbers [count] or values [count, outputs]. */
export interface Examples {
  x: Tensor;
  y: ArrayLike<number> | Tensor;
}

/** What a job learns from and is measured with. */
export interface TrainingData {
  train: Examples | BatchSource;
  /** Never trained on. */
  test: Examples | BatchSource;
  /** Of one example. */
  shape: number[];
  /** Examples to train on, where a source knows it. */
  examples: number | undefined;
  classNames: string[] | undefined;
  /** For people. */
  source: string;
}

export interface DataOptions {
  /** Where the volume of the data is; generated ones need none. */
  folder: string | undefined;
  batchSize: number;
  seed: number;
}

/** Loads what `dataset` names, and keeps the test set apart.
 * @throws Error that names the file and what is wrong with it. */
export async function loadTrainingData(
  dataset: TrainingDataset,
  options: DataOptions,
): Promise<TrainingData> {
  if (dataset.generated) return generated(dataset.generated);
  const { folder } = options;
  if (folder === undefined) throw new Error('spec.dataset.volume: Required value: where the data are');
  if (dataset.cifar10) return cifar10(dataset.cifar10, folder);
  if (dataset.npz) return npz(dataset.npz, folder, dataset.testSplit ?? 0, options.seed);
  if (dataset.csv) return csv(dataset.csv, folder, dataset.testSplit ?? 0, options.seed);
  if (dataset.imageFolder) return images(dataset, folder, options);
  throw new Error('spec.dataset: Required value: one of cifar10, csv, generated, imageFolder, npz');
}

async function generated(spec: NonNullable<TrainingDataset['generated']>): Promise<TrainingData> {
  const { syntheticImages } = await import('../../ml/index.ts');
  return fromImages(syntheticImages(spec), 'generated images');
}

async function cifar10({ path, limit }: NonNullable<TrainingDataset['cifar10']>, folder: string) {
  const { loadCifar10 } = await import('../../ml/index.ts');
  return fromImages(await loadCifar10({ dir: below(folder, path) }), 'CIFAR-10', limit);
}

interface Images {
  train: { images: Tensor; labels: Uint8Array };
  test: { images: Tensor; labels: Uint8Array };
  classNames: string[];
}

function fromImages({ train, test, classNames }: Images, source: string, limit?: number): TrainingData {
  const all = { x: train.images, y: train.labels };
  return inMemory(
    limit ? takeExamples(all, 0, limit) : all,
    { x: test.images, y: test.labels },
    source,
    classNames,
  );
}

/** Arrays as Keras' own archives name them (`x_train`, `y_train`, `x_test`, `y_test`), or `x` and `y`. */
async function npz(
  { path, x = 'x', y = 'y' }: NonNullable<TrainingDataset['npz']>,
  folder: string,
  testSplit: number,
  seed: number,
): Promise<TrainingData> {
  const { readNpz } = await import('../../ml/index.ts');
  const arrays = await readNpz(below(folder, path));
  const named = (name: string): Tensor => {
    const array = arrays[name];
    if (array) return array;
    throw new Error(`${path} has no array "${name}"; it has ${Object.keys(arrays).join(', ')}`);
  };
  const examples = (suffix: string): Examples => ({
    x: numbers(named(x + suffix)),
    y: targets(named(y + suffix)),
  });
  if (arrays[`${x}_train`]) return inMemory(examples('_train'), examples('_test'), path);
  return split(examples(''), { testSplit, seed, source: path });
}

/** Images and the like stay bytes; other numbers become those that models take. */
function numbers(array: Tensor): Tensor {
  const isTaken = array.dtype === 'float32' || array.dtype === 'uint8' || array.dtype === 'int32';
  return isTaken ? array : { ...array, dtype: 'float32', data: Float32Array.from(array.data, Number) };
}

/** A column of class numbers as a list of them. */
function targets(array: Tensor): ArrayLike<number> | Tensor {
  const isList = array.shape.length === 1 || (array.shape.length === 2 && array.shape[1] === 1);
  const isWhole = array.dtype !== 'float32' && array.dtype !== 'float64';
  if (isList && isWhole) return Int32Array.from(array.data, Number);
  const shape = array.shape.length === 1 ? [array.shape[0]!, 1] : array.shape;
  return { dtype: 'float32', shape, data: Float32Array.from(array.data, Number) };
}

/** More than this wants a format that is not text. */
const csvNumbersMax = 100_000_000;

async function csv(
  { path, label, labelKind, features, categorical = [], separator }: NonNullable<TrainingDataset['csv']>,
  folder: string,
  testSplit: number,
  seed: number,
): Promise<TrainingData> {
  const { csvDataset } = await import('../../ml/index.ts');
  const { dataset, classNames, columns } = await csvDataset(below(folder, path), {
    label,
    ...(labelKind && { labelKind }),
    ...(features && { features }),
    ...(separator && { separator }),
    categorical: Object.fromEntries(categorical.map((name) => [name, true as const])),
  });
  const [x, y]: [Float32Array[], number[]] = [[], []];
  for await (const example of dataset) {
    // A row of a table is float32, its target a class number or one value.
    x.push(example.x.data as Float32Array);
    y.push(typeof example.y === 'object' ? example.y[0]! : (example.y ?? 0));
    if (x.length * columns.length > csvNumbersMax)
      throw new Error(`${path} has more than ${csvNumbersMax} numbers, which is more than fits: use npz`);
  }
  const isClass = labelKind !== 'value';
  const rows = new Float32Array(x.length * columns.length);
  for (const [row, data] of x.entries()) rows.set(data, row * columns.length);
  const examples: Examples = {
    x: { dtype: 'float32', shape: [x.length, columns.length], data: rows },
    y: isClass ? Int32Array.from(y) : { dtype: 'float32', shape: [y.length, 1], data: Float32Array.from(y) },
  };
  const names = isClass ? { classNames } : {};
  return split(examples, { testSplit, seed, source: path, ...names });
}

function split(
  all: Examples,
  options: { testSplit: number; seed: number; source: string; classNames?: string[] },
): TrainingData {
  const { testSplit, seed, source, classNames } = options;
  const { train, test } = splitExamples(all, testSplit, seed);
  return inMemory(train, test, source, classNames);
}

function inMemory(train: Examples, test: Examples, source: string, classNames?: string[]): TrainingData {
  const [count, ...shape] = train.x.shape;
  return { train, test, shape, examples: count, classNames, source };
}

async function images(
  { imageFolder: spec, testSplit = 0 }: TrainingDataset,
  folder: string,
  { batchSize, seed }: DataOptions,
): Promise<TrainingData> {
  const { imageFolder } = await import('../../ml/index.ts');
  const { path, height, width, channels, corrupt } = spec!;
  const dir = below(folder, path);
  const options = {
    height,
    width,
    channels: channels === 1 ? (1 as const) : (3 as const),
    seed,
    validationSplit: testSplit,
    ...(corrupt && { corrupt }),
  };
  const train = await imageFolder(dir, { ...options, shuffle: true, subset: 'training' });
  const test = await imageFolder(dir, { ...options, subset: 'validation' });
  return {
    train: train.dataset.batch(batchSize),
    test: test.dataset.batch(batchSize),
    shape: [height, width, options.channels],
    examples: train.dataset.examples,
    classNames: train.classNames,
    source: path ?? 'the image folder',
  };
}

/** A path of the specification, which must not lead out of the volume. */
function below(folder: string, path = '.'): string {
  const found = normalize(join(folder, path));
  if (found === normalize(folder) || found.startsWith(normalize(folder) + sep)) return found;
  throw new Error(`spec.dataset: Invalid value: "${path}": must be a path below the volume`);
}
