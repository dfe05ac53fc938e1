import { randomUUID } from 'node:crypto';
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Header } from 'tar-stream';

import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { hexOf, Meter } from './digest.ts';
import { maySync, orMissing, syncFolder } from './durable-file.ts';
import type { Image } from './image.ts';
import type { Descriptor } from './manifest.ts';
import { LayerWriter, type Unpacked, type UnpackOptions, unpackedBytesMax } from './unpack-layer.ts';

export type { UnpackOptions } from './unpack-layer.ts';

/**
 * Unpacks an image's layers once into `<folder>/unpacked/<hex of its manifest's digest>` (for containers, `rootfs` in
 * place of `unpacked`) and gives that path. It appears whole or not at all, and several processes may ask at a time.
 */
export async function unpackImage(
  store: ContentStore,
  image: Image,
  options: UnpackOptions & { folder: string },
): Promise<string> {
  // Trees for the two uses differ in owners and links, so one never stands in for the other.
  const parent = join(options.folder, options.use === 'container' ? 'rootfs' : 'unpacked');
  const target = join(parent, hexOf(image.descriptor.digest));
  if (await isThere(target)) return target;
  // A container's set-user-ID programs are no business of this machine's other users.
  await mkdir(parent, { recursive: true, mode: options.use === 'container' ? 0o700 : 0o755 });
  const staging = join(parent, `.staging-${process.pid}-${randomUUID()}`);
  try {
    const diffIds = image.config.rootfs?.diff_ids;
    await unpackLayers(store, { layers: image.manifest.layers, diffIds, into: staging }, options);
    await rename(staging, target);
    await syncFolder(parent);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    // Somebody else unpacked the same image meanwhile.
    if (await isThere(target)) return target;
    throw error;
  }
  return target;
}

/** Removes what unpacking left behind when its process was killed; call it when none is running. */
export async function dropStaging(folder: string): Promise<void> {
  for (const parent of [join(folder, 'unpacked'), join(folder, 'rootfs')]) {
    for (const name of (await orMissing(readdir(parent))) ?? []) {
      if (name.startsWith('.staging-')) await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}

/** Unpacks layers, lowest first, into a folder that must not exist yet. `diffIds` are checked where given. */
export async function unpackLayers(
  store: ContentStore,
  what: { layers: Descriptor[]; diffIds?: string[] | undefined; into: string },
  options: UnpackOptions,
): Promise<void> {
  const { layers, diffIds, into } = what;
  if (diffIds && diffIds.length !== layers.length) {
    throw new StatusError('Invalid', `the image has ${layers.length} layers but ${diffIds.length} diff_ids`);
  }
  await mkdir(into, { mode: 0o700 });
  const unpacked: Unpacked = {
    bytes: 0,
    entries: 0,
    files: new Set(),
    links: new Set(),
    folderModes: new Map(),
  };
  for (const [at, layer] of layers.entries()) {
    const diffId = await unpackLayer(store, layer, into, unpacked, options);
    if (diffIds && diffIds[at] !== diffId) {
      throw new StatusError(
        'Invalid',
        `layer ${layer.digest} unpacks to ${diffId}, the image says ${diffIds[at]}`,
      );
    }
  }
  await new LayerWriter(into, unpacked, options).finish();
  await syncFiles(into, unpacked.files);
}

async function unpackLayer(
  store: ContentStore,
  layer: Descriptor,
  root: string,
  unpacked: Unpacked,
  options: UnpackOptions,
): Promise<string> {
  const { extract } = await import('tar-stream');
  const bytesMax = options.bytesMax ?? unpackedBytesMax;
  const meter = new Meter({ bytesMax: bytesMax - unpacked.bytes, what: 'the unpacked image' });
  const writer = new LayerWriter(root, unpacked, options);
  const tar = extract();
  const decompress = decompressor(layer.mediaType);
  const source = await store.get(layer.digest);
  const reading = decompress
    ? pipeline(source, decompress, meter, tar as unknown as NodeJS.WritableStream, { signal: options.signal })
    : pipeline(source, meter, tar as unknown as NodeJS.WritableStream, { signal: options.signal });
  const writing = (async () => {
    for await (const entry of tar) {
      const { header } = entry as unknown as { header: Header };
      await writer.write(header, Readable.from(entry as AsyncIterable<Buffer>));
    }
  })();
  const [written, read] = await Promise.allSettled([writing, reading]);
  // The first cause: a refused entry ends the reading too, and a broken archive ends the writing.
  if (written.status === 'rejected' && written.reason instanceof StatusError) throw written.reason;
  if (read.status === 'rejected') throw asInvalid(layer, read.reason);
  if (written.status === 'rejected') throw written.reason;
  unpacked.bytes += meter.bytes;
  return meter.digest();
}

/** What unpacks layers of this media type; undefined for a plain tar. */
export function decompressor(type: string): Transform | undefined {
  if (/[+.]gzip$/.test(type)) return createGunzip();
  if (/[+.]zstd$/.test(type)) return createZstdDecompress();
  if (/\.tar$/.test(type)) return undefined;
  throw new StatusError(
    'Invalid',
    `layer has media type ${type}, expected a tar, plain or with gzip or zstd`,
  );
}

function asInvalid(layer: Descriptor, error: unknown): unknown {
  if (error instanceof StatusError || (error as Error).name === 'AbortError') return error;
  const { code } = error as NodeJS.ErrnoException;
  // A full disk or the like is not the layer's fault.
  if (code && /^E[A-Z]+$/.test(code)) return error;
  return new StatusError('Invalid', `layer ${layer.digest} is damaged: ${(error as Error).message}`, {
    cause: error,
  });
}

const syncsAtOnce = 16;

/** The tree's name must not survive a power loss that its content doesn't. */
async function syncFiles(root: string, files: Set<string>): Promise<void> {
  if (!maySync) return;
  const queue = files.values();
  const work = async () => {
    for (const file of queue) {
      const handle = await orMissing(open(join(root, file), 'r'));
      await handle?.sync();
      await handle?.close();
    }
  };
  await Promise.all(Array.from({ length: syncsAtOnce }, work));
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
