import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { Dataset } from '../datasets/dataset.ts';
import type { Example } from '../datasets/example.ts';
import { decodeNpy, encodeNpy, type NpyHeader, numbers, readNpyHeader } from '../datasets/npy.ts';
import { ShapeError } from '../shape.ts';
import { bytesPerElement, type Tensor } from '../tensor.ts';

/** An archive that claims to unpack to more is an attack, or too large for the memory: use .npy files. */
const unpackedBytesMax = 4 * 2 ** 30;
/** Rows are read from the disk in stretches of about this size. */
const stretchBytes = 2 ** 20;
const headBytes = 2 ** 20 + 12;

export const readNpy = async (path: string): Promise<Tensor> => decodeNpy(await readFile(path), path);

export const writeNpy = (path: string, array: Tensor): Promise<void> => writeFile(path, encodeNpy(array));

/** The arrays of an archive of numpy.savez or savez_compressed, by name.
 * @throws Error that names the archive and the array. */
export async function readNpz(path: string): Promise<Record<string, Tensor>> {
  const { unzipSync } = await import('fflate');
  const bytes = await readFile(path);
  let total = 0;
  const filter = ({ name, originalSize }: { name: string; originalSize: number }) => {
    total += originalSize;
    if (total > unpackedBytesMax) throw new Error(`"${name}" would unpack beyond ${unpackedBytesMax} bytes`);
    return name.endsWith('.npy');
  };
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, { filter });
  } catch (cause) {
    throw new Error(`${path}: not a .npz archive that can be read: ${(cause as Error).message}`, { cause });
  }
  const named = Object.entries(files).map(([name, file]) => [
    name.slice(0, -'.npy'.length),
    decodeNpy(file, `${path}, ${name}`),
  ]);
  return Object.fromEntries(named);
}

/** Writes an archive as numpy.savez does, uncompressed. */
export async function writeNpz(path: string, arrays: Record<string, Tensor>): Promise<void> {
  const { zipSync } = await import('fflate');
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)]);
  await writeFile(path, zipSync(Object.fromEntries(files), { level: 0 }));
}

/** The examples of .npy files, x [count, ...] and class numbers [count] or values [count, outputs]. The rows are read
 * from the disk as they are needed, so the files may be larger than the memory. */
export async function npyDataset(xPath: string, yPath?: string): Promise<Dataset<Example>> {
  const x = await headerOf(xPath);
  const y = yPath === undefined ? undefined : await headerOf(yPath);
  const [count] = x.shape;
  if (count === undefined) throw new ShapeError(`${xPath} holds one number, expected examples`);
  if (y && y.shape[0] !== count)
    throw new ShapeError(`${xPath} has ${count} examples, ${yPath} has ${y.shape[0]} targets`);
  const [, ...shape] = x.shape;

  async function* pass(): AsyncGenerator<Example> {
    const targets = y && rows(yPath!, y);
    let row = 0;
    for await (const data of rows(xPath, x)) {
      const target = (await targets?.next())?.value;
      yield {
        x: { dtype: x.dtype, shape, data },
        ...(target && { y: y!.shape.length > 1 ? Float32Array.from(target, Number) : Number(target[0]) }),
        source: `${xPath}, row ${row}`,
      };
      row += 1;
    }
    await targets?.return(undefined);
  }

  return new Dataset(pass, { examples: count });
}

async function headerOf(path: string): Promise<NpyHeader> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(headBytes), 0, headBytes, 0);
    return readNpyHeader(buffer.subarray(0, bytesRead), path);
  } finally {
    await file.close();
  }
}

async function* rows(path: string, { dtype, shape: [count, ...shape], dataStart }: NpyHeader) {
  const stride = shape.reduce((product, dim) => product * dim, 1);
  const rowBytes = stride * bytesPerElement[dtype];
  const together = Math.max(1, Math.floor(stretchBytes / Math.max(1, rowBytes)));
  const file = await open(path);
  try {
    for (let row = 0; row < count!; row += together) {
      const size = Math.min(together, count! - row);
      const data = numbers(dtype, await readFully(file, path, dataStart + row * rowBytes, size * rowBytes));
      for (let at = 0; at < size; at += 1) yield data.subarray(at * stride, (at + 1) * stride);
    }
  } finally {
    await file.close();
  }
}

async function readFully(
  file: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  if (bytesRead === length) return bytes;
  throw new Error(
    `${path}: expected ${length} bytes at byte ${position}, found ${bytesRead}: it is cut short`,
  );
}
