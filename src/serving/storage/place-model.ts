import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Header } from 'tar-stream';
import { StatusError } from '../../base/errors.ts';
import { modelFiles } from '../model-folder.ts';
import { modelBytesMax } from './download.ts';

/** An archive of more files than this is refused. */
export const filesMax = 10_000;

interface Placing {
  /** What was fetched; gone afterwards, if it is the model itself. */
  file: string;
  folder: string;
  /** For servers of others: the file's name, and an archive is unpacked with all it has. */
  keepAs?: string | undefined;
  bytesMax?: number;
}

/**
 * Makes what was fetched the model's folder: a tar archive, gzipped or not, becomes the files of a model that lie anywhere
 * in it; everything else is an ONNX file. Resolves to the files' paths in the folder.
 */
export async function placeModel(placing: Placing): Promise<string[]> {
  const { file, folder, keepAs } = placing;
  const kind = await kindOf(file);
  if (kind === 'zip')
    throw new StatusError('UnsupportedMediaType', 'a zip archive is not unpacked; offer a .tar.gz instead');
  if (kind !== 'file') return unpack(placing, kind === 'gzip');
  const name = keepAs === undefined ? 'model.onnx' : basename(keepAs);
  await rename(file, join(folder, name));
  return [name];
}

/** By its first bytes: a URL's end tells nothing. */
async function kindOf(file: string): Promise<'gzip' | 'tar' | 'zip' | 'file'> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
    if (head.toString('latin1', 0, 4) === 'PK\u0003\u0004') return 'zip';
    return head.toString('latin1', 257, 262) === 'ustar' ? 'tar' : 'file';
  } finally {
    await handle.close();
  }
}

async function unpack({ file, folder, keepAs, bytesMax = modelBytesMax }: Placing, isGzip: boolean) {
  const { extract } = await import('tar-stream');
  const tar = extract();
  // A tar stream is a Writable by what it does, not by its type.
  const into = tar as unknown as Writable;
  const source = createReadStream(file);
  const reading = isGzip ? pipeline(source, createGunzip(), into) : pipeline(source, into);
  const placed = new Set<string>();
  let bytes = 0;
  let files = 0;
  const writing = (async () => {
    for await (const entry of tar) {
      // `tar-stream` types its entries as plain streams.
      const { header } = entry as unknown as { header: Header };
      const name = header.type === 'file' ? nameOf(header.name, keepAs !== undefined) : undefined;
      files += 1;
      if (files > filesMax) throw new StatusError('Invalid', `the archive has more than ${filesMax} entries`);
      const meter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          bytes += chunk.length;
          const why = new StatusError(
            'RequestEntityTooLarge',
            `the archive unpacks to more than ${bytesMax} bytes`,
          );
          done(bytes > bytesMax ? why : null, chunk);
        },
      });
      if (name === undefined) {
        await pipeline(entry, meter, async (chunks) => {
          for await (const _ of chunks);
        });
        continue;
      }
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await pipeline(entry, meter, createWriteStream(join(folder, name)));
      placed.add(name);
    }
  })();
  await Promise.all([reading, writing]).catch((error) => {
    tar.destroy();
    throw error;
  });
  if (placed.size > 0) return [...placed];
  throw new StatusError('NotFound', `the archive has none of the files of a model: ${modelFiles.join(', ')}`);
}

/** Where an entry goes; undefined where it goes nowhere. */
function nameOf(path: string, isWhole: boolean): string | undefined {
  const name = posix.normalize(`/${path}`).slice(1);
  if (isWhole) return name;
  return modelFiles.includes(posix.basename(name)) ? posix.basename(name) : undefined;
}
