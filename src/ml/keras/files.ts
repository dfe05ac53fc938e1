import type { Sequential } from '../sequential.ts';
import { decodeCompileConfig } from './compile-config.ts';
import { legacyNode } from './functional.ts';
import { readHdf5, writeHdf5 } from './hdf5.ts';
import { legacyName } from './layer-config.ts';
import { fromJSON, type KerasModelOptions, toJSON } from './model-config.ts';
import type { Serialized } from './values.ts';
import { readWeights, writeLegacyWeights, writeWeights } from './weights-layouts.ts';
import { unzip, zip } from './zip.ts';

export type KerasFormat = 'keras' | 'h5';

/** The Keras whose files these are; a newer one reads them too. */
const kerasVersion = '3.15.1';

const parts = ['config.json', 'metadata.json', 'model.weights.h5'] as const;

/** A model from the bytes of a `.keras` file, or of a legacy `.h5` file with a whole model in it.
 * @throws Error that says what is missing, damaged or not supported, and where. */
export async function decodeKeras(bytes: Uint8Array, options: KerasModelOptions = {}): Promise<Sequential> {
  if (isHdf5(bytes)) return decodeLegacy(bytes, options);
  if (!isZip(bytes)) {
    throw new Error(`These ${bytes.length} bytes are neither a .keras file (ZIP) nor an .h5 file (HDF5)`);
  }
  const files = await unzip(bytes, parts);
  const [config, weights] = [files.get('config.json'), files.get('model.weights.h5')];
  if (!config || !weights) {
    throw new Error(`This ZIP archive is no .keras file: it lacks ${config ? parts[2] : parts[0]}`);
  }
  return withWeights(parse(new TextDecoder().decode(config), parts[0]), weights, options);
}

async function decodeLegacy(bytes: Uint8Array, options: KerasModelOptions): Promise<Sequential> {
  const config = await readHdf5(bytes, (file) => file.text('', 'model_config'));
  if (config === undefined) {
    throw new Error(
      'This .h5 file has no model_config: it holds weights alone. Build the model and call loadKerasWeights(model, file)',
    );
  }
  return withWeights(parse(config, 'model_config'), bytes, options);
}

async function withWeights(
  json: unknown,
  weights: Uint8Array,
  options: KerasModelOptions,
): Promise<Sequential> {
  // float32 in the file, stored plainly, so that a small file can't claim a huge model.
  const model = fromJSON(json, { ...options, parametersMax: Math.floor(weights.length / 4) });
  await readWeights(model, weights);
  compileAsIn(model, json);
  return model;
}

/** As Keras, a file's model is compiled as it was saved. One that can't be is good for predictions, and says so where it
 * is to be trained. */
function compileAsIn(model: Sequential, json: unknown): void {
  // Every model's configuration is an object, as `fromJSON` has seen.
  const { compile_config: config } = json as { compile_config?: unknown };
  if (typeof config !== 'object' || config === null || Object.keys(config).length === 0) return;
  try {
    model.compile(decodeCompileConfig(config as Record<string, unknown>));
  } catch (error) {
    model.compileProblem = (error as Error).message;
  }
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${what} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The bytes of a `.keras` file, or of a legacy `.h5` file, that Keras loads.
 * @throws Error where Keras has no such layer. */
export async function encodeKeras(model: Sequential, format: KerasFormat = 'keras'): Promise<Uint8Array> {
  const config = toJSON(model);
  if (format === 'h5') {
    const attention = model.architecture.layers.find(({ layer }) => layer.type === 'MultiHeadAttention');
    if (attention) throw new Error(`"${attention.name}": Keras loads MultiHeadAttention from .keras only`);
    return encodeLegacy(model, config);
  }
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return zip({
    'metadata.json': text({ keras_version: kerasVersion, date_saved: '1980-01-01@00:00:00' }),
    'config.json': text(config),
    'model.weights.h5': await writeWeights(model),
  });
}

const encodeLegacy = (model: Sequential, config: Serialized): Promise<Uint8Array> =>
  writeHdf5((file) => {
    for (const root of ['', 'model_weights']) {
      file.text(root, 'backend', 'tensorflow');
      file.text(root, 'keras_version', kerasVersion);
    }
    file.text('', 'model_config', JSON.stringify(withLegacyNames(config)));
    writeLegacyWeights(file, model, 'model_weights');
  });

/** Keras 2's form of a configuration, which Keras 3 reads too. */
function withLegacyNames({ class_name: type, config }: Serialized): Serialized {
  const layers = (
    config.layers as (Serialized & { build_config?: unknown; inbound_nodes?: unknown[] })[]
  ).map(({ build_config: _, inbound_nodes: nodes, ...layer }, index) => ({
    ...layer,
    config: Object.fromEntries(
      Object.entries(layer.config).map(([key, value]) => [legacyName(layer.class_name, key), value]),
    ),
    ...(nodes && {
      inbound_nodes: nodes.map((node) => legacyNode({ index, name: String(layer.config.name) }, node)),
    }),
  }));
  return { class_name: type, config: { ...config, layers } };
}

/** Sets a model's weights from the bytes of a `.weights.h5`, `.h5` or `.keras` file.
 * @throws Error that names the layer that does not fit; the model stays as it was. */
export async function decodeKerasWeights(model: Sequential, bytes: Uint8Array): Promise<void> {
  if (!isZip(bytes)) return readWeights(model, bytes);
  const weights = (await unzip(bytes, parts)).get('model.weights.h5');
  if (!weights) throw new Error(`This ZIP archive is no .keras file: it lacks ${parts[2]}`);
  return readWeights(model, weights);
}

/** The bytes of a `.weights.h5` file. */
export const encodeKerasWeights = (model: Sequential): Promise<Uint8Array> => writeWeights(model);

const startsWith = (bytes: Uint8Array, signature: number[]): boolean =>
  signature.every((byte, index) => bytes[index] === byte);
const isZip = (bytes: Uint8Array): boolean => startsWith(bytes, [0x50, 0x4b]);
const isHdf5 = (bytes: Uint8Array): boolean => startsWith(bytes, [0x89, 0x48, 0x44, 0x46]);
