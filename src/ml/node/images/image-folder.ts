import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { mapParallel } from '../../datasets/ahead.ts';
import { Dataset } from '../../datasets/dataset.ts';
import type { Example } from '../../datasets/example.ts';
import { permutation, randomGenerator } from '../../random.ts';
import { mix } from '../../random-inputs.ts';
import { Decoders } from './decoders.ts';
import { ImageError } from './pixels.ts';

export interface ImageFolderOptions {
  /** What every image is scaled to. */
  height: number;
  width: number;
  /** 3 for RGB, 1 for grey. */
  channels?: 1 | 3;
  /** Whether the files come in another order in every epoch; it costs nothing, unlike `shuffle()` of decoded images. */
  shuffle?: boolean;
  seed?: number;
  /** The share of the files, drawn by `seed` once and for all, that `subset: 'validation'` gives and `'training'`
   * leaves out. */
  validationSplit?: number;
  subset?: 'training' | 'validation';
  /** What happens at a file that is no image: the pass ends with an error, or it is left out, counted and named. */
  corrupt?: 'error' | 'skip';
  /** Threads that decode; one less than there are processors by default. */
  threads?: number;
}

/** What a pass has left out. */
export interface SkippedFiles {
  count: number;
  /** The first of them, each with the reason: `cat/7.jpg: a damaged JPEG: …`. */
  files: string[];
}

export interface ImageFolder {
  dataset: Dataset<Example>;
  /** The sub-folders' names in order, by class number. */
  classNames: string[];
  /** The files left out in the last pass so far. */
  skipped: SkippedFiles;
}

const skippedNamesMax = 100;
const imageFile = /\.(jpe?g|png)$/i;
/** Files under way for each decoding thread. */
const filesAhead = 4;

/** The images of a folder with one sub-folder a class (JPEG and PNG), decoded in threads while they are used; only
 * the names are held in memory. As Keras' image_dataset_from_directory.
 * @throws Error where there are no classes or no images. */
export async function imageFolder(dir: string, options: ImageFolderOptions): Promise<ImageFolder> {
  const { corrupt = 'error', channels = 3, threads = Math.max(1, availableParallelism() - 1) } = options;
  const { height, width, shuffle = false, seed = 0 } = options;
  const { classNames, files: all } = await list(dir);
  const files = part(all, options);
  const skipped: SkippedFiles = { count: 0, files: [] };
  const decoders = new Decoders(threads);

  async function* pass(epoch: number): AsyncGenerator<Example> {
    Object.assign(skipped, { count: 0, files: [] });
    const order = shuffle ? permutation(files.length, randomGenerator(mix(mix(seed) ^ epoch))) : files.keys();
    const load = (index: number) => read(files[index]!);
    for await (const example of mapParallel(order, load, threads * filesAhead)) {
      if (example) yield example;
    }
  }

  async function read({ path, label }: ImageFile): Promise<Example | undefined> {
    const source = relative('.', path);
    try {
      const data = await decoders.decode({ path, height, width, channels });
      return { x: { dtype: 'uint8', shape: [height, width, channels], data }, y: label, source };
    } catch (error) {
      const reason = `${source}: ${(error as Error).message}`;
      if (corrupt === 'error' || !(error instanceof ImageError)) {
        throw new ImageError(`${reason}. Mend or remove it, or give corrupt: 'skip'`, { cause: error });
      }
      skipped.count += 1;
      if (skipped.files.length < skippedNamesMax) skipped.files.push(reason);
      return undefined;
    }
  }

  return { dataset: new Dataset(pass, { examples: files.length }), classNames, skipped };
}

/** The files of one side of the split, all where none is asked for. */
function part(files: ImageFile[], { validationSplit, subset, seed = 0 }: ImageFolderOptions): ImageFile[] {
  if (validationSplit === undefined && subset === undefined) return files;
  if (!subset || !(validationSplit! > 0 && validationSplit! < 1)) {
    throw new RangeError(
      "imageFolder: validationSplit, between 0 and 1, and subset, 'training' or 'validation', go together",
    );
  }
  const order = [...permutation(files.length, randomGenerator(mix(seed)))].map((index) => files[index]!);
  const at = files.length - Math.floor(files.length * validationSplit!);
  return subset === 'training' ? order.slice(0, at) : order.slice(at);
}

interface ImageFile {
  path: string;
  label: number;
}

async function list(dir: string): Promise<{ classNames: string[]; files: ImageFile[] }> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause) => {
    throw new Error(`Cannot read the image folder ${dir}: ${cause.message}`, { cause });
  });
  const classNames = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  if (classNames.length === 0)
    throw new Error(`${dir} has no sub-folders: an image folder has one for each class, with its images`);
  const files: ImageFile[] = [];
  for (const [label, name] of classNames.entries()) {
    const names = (await readdir(join(dir, name), { recursive: true }))
      .filter((file) => imageFile.test(file))
      .sort();
    for (const file of names) files.push({ path: join(dir, name, file), label });
  }
  if (files.length === 0)
    throw new Error(`${dir} has no .jpg, .jpeg or .png files in its ${classNames.length} sub-folders`);
  return { classNames, files };
}
