import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Header } from 'tar-stream';
import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { imageBytes, readImage } from './image.ts';
import type { Descriptor, Manifest } from './manifest.ts';
import type { Reference } from './reference.ts';
import { decompressor } from './unpack.ts';

const titleAnnotation = 'org.opencontainers.image.title';
const graphFile = 'graph.onnx';
const weightsFile = 'weights.safetensors';
const wanted = [graphFile, weightsFile];
/** Hides all that lies below a layer (OCI image-spec `layer.md`). */
const opaque = '.wh..wh..opq';

/** Layers of a larger image than this are not looked into, nor is more than this read of one. */
export const imageBytesMax: number = 2 * 1024 ** 3;

/** What a model consists of: two models of one graph differ in their weights alone. */
export interface ModelDigests {
  /** Of the manifest. */
  digest: string;
  /** Of the file `graph.onnx`; undefined where graph and weights are one file, or there is none. */
  graph: string | undefined;
  /** Of the file `weights.safetensors`. */
  weights: string | undefined;
}

/** Reads which graph and weights an artifact or image of the store holds. Throws what `readImage` throws. */
export async function modelDigests(
  store: ContentStore,
  image: Reference | string | Descriptor,
): Promise<ModelDigests> {
  const read = await readImage(store, image);
  const { descriptor, manifest } = read;
  const files = manifest.layers.some(({ annotations }) => annotations?.[titleAnnotation])
    ? titled(manifest)
    : imageBytes(read) <= imageBytesMax
      ? await inLayers(store, manifest.layers)
      : new Map<string, string>();
  return { digest: descriptor.digest, graph: files.get(graphFile), weights: files.get(weightsFile) };
}

/** Of an artifact each layer is a file. */
function titled({ layers }: Manifest): Map<string, string> {
  return new Map(
    layers.map(({ annotations, digest }) => [posix.basename(annotations?.[titleAnnotation] ?? ''), digest]),
  );
}

/** Of an image the uppermost layer that has a file counts; a layer may also say that it is gone. */
async function inLayers(store: ContentStore, layers: Descriptor[]): Promise<Map<string, string>> {
  const found = new Map<string, string | undefined>();
  for (const layer of layers.toReversed()) {
    if (wanted.every((name) => found.has(name))) break;
    for (const [name, digest] of await inLayer(store, layer)) if (!found.has(name)) found.set(name, digest);
  }
  return new Map([...found].flatMap(([name, digest]) => (digest === undefined ? [] : [[name, digest]])));
}

/** The files at the root of a layer, by name; undefined where it says that one below it is gone. */
async function inLayer(store: ContentStore, layer: Descriptor): Promise<Map<string, string | undefined>> {
  const { extract } = await import('tar-stream');
  const found = new Map<string, string | undefined>();
  const tar = extract();
  const source = await store.get(layer.digest);
  const decompress = decompressor(layer.mediaType);
  // A tar stream is a Writable by what it does, not by its type.
  const into = tar as unknown as Writable;
  const reading = decompress ? pipeline(source, decompress, into) : pipeline(source, into);
  const looking = (async () => {
    let bytes = 0;
    for await (const entry of tar) {
      // `tar-stream` types its entries as plain streams.
      const { header } = entry as unknown as { header: Header };
      const name = posix.normalize(`/${header.name}`).slice(1);
      const hash = wanted.includes(name) ? createHash('sha256') : undefined;
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        hash?.update(chunk);
        bytes += chunk.length;
        if (bytes > imageBytesMax) throw tooLarge(layer);
      }
      if (hash) found.set(name, `sha256:${hash.digest('hex')}`);
      const hidden = name === opaque ? wanted : wanted.filter((each) => name === `.wh.${each}`);
      for (const each of hidden) found.set(each, found.get(each));
    }
  })();
  await Promise.all([reading, looking]);
  return found;
}

const tooLarge = ({ digest }: Descriptor) =>
  new StatusError('RequestEntityTooLarge', `layer ${digest} unpacks to more than ${imageBytesMax} bytes`);
