import { readFile, writeFile } from 'node:fs/promises';
import { decodeKeras, decodeKerasWeights, encodeKeras, encodeKerasWeights } from '../keras/files.ts';
import type { KerasModelOptions } from '../keras/model-config.ts';
import type { Sequential } from '../sequential.ts';

/** Loads a model that Keras, or `saveModel`, wrote: `.keras`, or legacy `.h5`, by its content.
 * @throws Error that says what is missing, damaged or not supported, and where. */
export const loadModel = async (file: string | URL, options: KerasModelOptions = {}): Promise<Sequential> =>
  named(file, async () => decodeKeras(await readFile(file), options));

/** Saves a model's layers and weights for Keras: `.keras`, or the legacy format where the name ends in `.h5`.
 * @throws Error where Keras has no such layer. */
export async function saveModel(model: Sequential, file: string | URL): Promise<void> {
  const format = String(file).endsWith('.h5') ? 'h5' : 'keras';
  await writeFile(file, await encodeKeras(model, format));
}

/** Sets a model's weights from a `.weights.h5`, `.h5` or `.keras` file.
 * @throws Error that names the layer that does not fit; the model stays as it was. */
export const loadKerasWeights = async (model: Sequential, file: string | URL): Promise<void> =>
  named(file, async () => decodeKerasWeights(model, await readFile(file)));

/** Saves a model's weights as Keras' `.weights.h5`. */
export const saveKerasWeights = async (model: Sequential, file: string | URL): Promise<void> =>
  writeFile(file, await encodeKerasWeights(model));

async function named<T>(file: string | URL, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`, { cause });
  }
}
