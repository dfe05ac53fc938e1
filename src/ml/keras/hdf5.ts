import type { Dataset, File, Group } from 'h5wasm';

/** A dataset larger than this is damage or an attack. */
const datasetBytesMax = 2 ** 30;

/** Reads an HDF5 file that is open only while `read` runs.
 * @throws Error where the bytes are no HDF5 file. */
export async function readHdf5<T>(bytes: Uint8Array, read: (file: Hdf5Reader) => T): Promise<T> {
  const { module, File } = await library();
  const path = temporaryPath();
  module.FS.writeFile(path, bytes);
  try {
    const file = attempt('These bytes are not an HDF5 file, or it is damaged', () => new File(path, 'r'));
    try {
      return read(new Hdf5Reader(file));
    } finally {
      file.close();
    }
  } finally {
    module.FS.unlink(path);
  }
}

/** Writes an HDF5 file. */
export async function writeHdf5(write: (file: Hdf5Writer) => void): Promise<Uint8Array> {
  const { module, File } = await library();
  const path = temporaryPath();
  const file = new File(path, 'w');
  write(new Hdf5Writer(file));
  file.flush();
  file.close();
  const bytes = module.FS.readFile(path).slice();
  module.FS.unlink(path);
  return bytes;
}

export class Hdf5Reader {
  readonly #file: File;

  constructor(file: File) {
    this.#file = file;
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /** The names in a group. */
  names(path: string): string[] {
    const group = this.#find(path);
    return group?.type === 'Group' ? (group as Group).keys() : [];
  }

  text(path: string, name: string): string | undefined {
    const value = this.#attribute(path, name);
    if (value instanceof Uint8Array) return new TextDecoder().decode(value);
    return typeof value === 'string' ? value : undefined;
  }

  /** A list of strings; Keras cuts one that is too long for HDF5 into NAME0, NAME1, … */
  texts(path: string, name: string): string[] | undefined {
    const list = this.#attribute(path, name);
    if (list !== undefined) return Array.from(list as ArrayLike<string>, String);
    const parts: string[] = [];
    for (let count = 0; ; count += 1) {
      const part = this.#attribute(path, `${name}${count}`);
      if (part === undefined) return count === 0 ? undefined : parts;
      parts.push(...Array.from(part as ArrayLike<string>, String));
    }
  }

  shape(path: string): number[] | undefined {
    const found = this.#find(path);
    return found?.type === 'Dataset' ? ((found as Dataset).shape ?? []) : undefined;
  }

  /** The numbers of a dataset as float32. */
  floats(path: string): Float32Array {
    const dataset = this.#find(path) as Dataset;
    const { type, size, shape } = dataset.metadata;
    // H5T_FLOAT; the sizes are those of float32 and float64.
    if (type !== 1 || (size !== 4 && size !== 8)) {
      throw new Error(`"${path}" in the HDF5 file holds no float32 or float64 numbers`);
    }
    const bytes = (shape ?? []).reduce((product, dim) => product * dim, size);
    if (bytes > datasetBytesMax) throw new Error(`"${path}" in the HDF5 file has ${bytes} bytes, too many`);
    const { value } = attempt(`"${path}" in the HDF5 file cannot be read`, () => ({ value: dataset.value }));
    return Float32Array.from(typeof value === 'number' ? [value] : (value as Float32Array));
  }

  #attribute(path: string, name: string): unknown {
    const attribute = this.#find(path)?.attrs[name];
    return attribute && attempt(`The HDF5 attribute "${name}" cannot be read`, () => attribute.value);
  }

  #find(path: string): Group | Dataset | undefined {
    if (path === '') return this.#file;
    try {
      const found = this.#file.get(path);
      // Links, to other files too, are not followed.
      return found && 'attrs' in found && found.type !== 'Datatype' ? (found as Group | Dataset) : undefined;
    } catch {
      return undefined;
    }
  }
}

export class Hdf5Writer {
  readonly #file: File;

  constructor(file: File) {
    this.#file = file;
  }

  /** Makes a group and those above it. */
  group(path: string): Group {
    let group: Group = this.#file;
    for (const name of path.split('/').filter(Boolean)) {
      group = group.keys().includes(name) ? (group.get(name) as Group) : group.create_group(name);
    }
    return group;
  }

  text(path: string, name: string, value: string): void {
    this.group(path).create_attribute(name, value);
  }

  texts(path: string, name: string, values: string[]): void {
    if (values.length === 0) this.group(path).create_attribute(name, new Float64Array(0), [0], '<d');
    else this.group(path).create_attribute(name, values);
  }

  floats(path: string, data: Float32Array, shape: number[]): void {
    const cut = path.lastIndexOf('/');
    this.group(path.slice(0, cut)).create_dataset({ name: path.slice(cut + 1), data, shape, dtype: '<f' });
  }
}

function attempt<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new Error(what, { cause });
  }
}

let count = 0;
const temporaryPath = (): string => `/selvage-${count++}.h5`;

/** The part of the library's WebAssembly module that is used: its files, which are in memory. */
interface H5Module {
  FS: {
    writeFile(path: string, bytes: Uint8Array): void;
    readFile(path: string): Uint8Array;
    unlink(path: string): void;
  };
  activate_throwing_error_handler(): void;
}

/** The library, 4 MB of WebAssembly, is loaded at the first use. */
async function library(): Promise<{ module: H5Module; File: typeof File }> {
  const { ready, File } = await import('h5wasm');
  const module = (await ready) as unknown as H5Module;
  // Without it the library prints its stack of errors and goes on with invalid handles.
  module.activate_throwing_error_handler();
  return { module, File };
}
