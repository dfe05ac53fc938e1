import { randomUUID } from 'node:crypto';
import { access, copyFile, link, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ContentStore } from '../../oci/content-store.ts';
import { hexOf } from '../../oci/digest.ts';
import { orMissing } from '../../oci/durable-file.ts';
import type { Descriptor, Manifest } from '../../oci/manifest.ts';

const titleAnnotation = 'org.opencontainers.image.title';
const emptyConfig = 'application/vnd.oci.empty.v1+json';

/** Whether a manifest's layers are files with names (an artifact) rather than a file system's layers. */
export const isArtifact = (manifest: Manifest): boolean =>
  manifest.layers.length > 0 && manifest.layers.every((layer) => layer.annotations?.[titleAnnotation]);

/**
 * Shows an artifact as a folder: each layer under its title, the configuration as `config.json`. The files are hard
 * links to the store's blobs, so a model takes no room twice.
 */
export async function artifactFolder(
  store: ContentStore,
  image: { descriptor: Descriptor; manifest: Manifest },
  folder: string,
): Promise<string> {
  const target = join(folder, 'artifacts', hexOf(image.descriptor.digest));
  if ((await orMissing(access(target).then(() => true))) === true) return target;
  const staging = join(folder, 'artifacts', `.staging-${randomUUID()}`);
  await mkdir(staging, { recursive: true });
  try {
    const { config, layers } = image.manifest;
    if (config.mediaType !== emptyConfig) await show(store, config, join(staging, 'config.json'));
    // A title is somebody else's text: only its last part names a file here.
    for (const layer of layers) {
      await show(store, layer, join(staging, basename(layer.annotations![titleAnnotation]!)));
    }
    await rename(staging, target);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (await orMissing(access(target).then(() => true))) return target;
    throw error;
  }
  return target;
}

async function show(store: ContentStore, blob: Descriptor, path: string): Promise<void> {
  const source = store.path(blob.digest);
  // Not every file system has hard links.
  await link(source, path).catch(() => copyFile(source, path));
}
