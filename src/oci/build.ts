import { access } from 'node:fs/promises';
import { join } from 'node:path';

import { StatusError } from '../base/errors.ts';
import { buildDockerfile } from './build-dockerfile.ts';
import { buildIsolate } from './build-isolate.ts';
import type { ContentStore } from './content-store.ts';
import { readImage } from './image.ts';
import type { Descriptor, Platform } from './manifest.ts';
import { formatReference, parseReference } from './reference.ts';

export interface BuildOptions {
  contextDir: string;
  store: ContentStore;
  /** Default: for an isolate `linux/amd64` whatever the machine, else that of the base image or the machine. */
  platform?: Platform;
  /** Values for a Dockerfile's `ARG`s. */
  buildArgs?: Record<string, string>;
  /** Brings an image that a Dockerfile begins FROM into the store, if it isn't there. */
  pullBase?: (reference: string) => Promise<Descriptor>;
  /** Seconds since the epoch that the image says it was created at; default `SOURCE_DATE_EPOCH`, else 0. */
  createdSeconds?: number;
  onProgress?: (message: string) => void;
}

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

/** The image's creation time, as https://reproducible-builds.org/specs/source-date-epoch/ asks. */
export function createdAt(options: { createdSeconds?: number }): string {
  const variable = process.env.SOURCE_DATE_EPOCH;
  const seconds = options.createdSeconds ?? Number(variable || 0);
  if (!Number.isSafeInteger(seconds) || seconds < 0 || seconds > 253_402_300_799) {
    throw new StatusError('BadRequest', `SOURCE_DATE_EPOCH is "${variable}", expected seconds since 1970`);
  }
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
