import { access } from 'node:fs/promises';
import { join } from 'node:path';

import { StatusError } from '../base/errors.ts';
import { buildDockerfile } from './build-dockerfile.ts';
import { buildIsolate } from './build-isolate.ts';
import type { BuildOptions } from './build-options.ts';
import { readImage } from './image.ts';
import type { Descriptor } from './manifest.ts';
import { formatReference, parseReference } from './reference.ts';

export type { BuildOptions } from './build-options.ts';

export interface Built {
  /** Of the manifest. */
  digest: string;
  /** Bytes of manifest, configuration and layers together, as stored. */
  size: number;
  layers: Descriptor[];
  /** The first tag, in full. */
  reference: string;
  references: string[];
}

/**
 * Builds an OCI image from a folder without a daemon and without root: from its Dockerfile if it has one, else as an
 * isolate. The same input gives the same digest.
 */
export async function buildImage(options: BuildOptions & { tag: string | string[] }): Promise<Built> {
  const references = [options.tag].flat().map(parseReference);
  if (references.length === 0)
    throw new StatusError('BadRequest', 'an image needs a tag, such as my-app:1.0.0');
  const digested = references.find((reference) => reference.digest);
  if (digested) {
    const message = `${formatReference(digested)} has a digest; what is built gets its own, so give a tag only`;
    throw new StatusError('BadRequest', message);
  }
  const hasDockerfile = await exists(join(options.contextDir, 'Dockerfile'));
  const descriptor = await (hasDockerfile ? buildDockerfile : buildIsolate)(options);
  for (const reference of references) await options.store.name(reference, descriptor);
  const { manifest } = await readImage(options.store, descriptor);
  const names = references.map(formatReference);
  options.onProgress?.(`tagged ${names.join(', ')}`);
  return {
    digest: descriptor.digest,
    size: [descriptor, manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0),
    layers: manifest.layers,
    reference: names[0]!,
    references: names,
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
