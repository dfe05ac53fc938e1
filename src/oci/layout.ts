import { constants, createReadStream } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { hexOf } from './digest.ts';
import { orMissing } from './durable-file.ts';
import {
  type Descriptor,
  decodeManifest,
  type Index,
  isIndex,
  manifestBytesMax,
  neededBy,
} from './manifest.ts';
import { mediaType } from './media-types.ts';
import { formatReference, parseReference } from './reference.ts';

const nameAnnotation = 'org.opencontainers.image.ref.name';

/** Writes an image or artifact as an OCI image layout (image-spec `image-layout.md`) into a new or empty folder. */
export async function exportLayout(
  store: ContentStore,
  reference: string,
  folder: string,
): Promise<Descriptor> {
  const parsed = parseReference(reference);
  const root = await store.resolve(parsed);
  if (!root) throw new StatusError('NotFound', `image ${formatReference(parsed)} is not in the local store`);
  if (((await orMissing(readdir(folder))) ?? []).length > 0) {
    throw new StatusError('AlreadyExists', `${folder} is not empty; export to a new folder`);
  }
  await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true });
  for (const blob of await closure(root, (digest) => store.read(digest, manifestBytesMax))) {
    if (!(await store.has(blob.digest))) {
      throw new StatusError(
        'NotFound',
        `${formatReference(parsed)} needs ${blob.digest}, which was never pulled`,
      );
    }
    // A clone where the file system has them, so that an export costs no space.
    await copyFile(store.path(blob.digest), blobPath(folder, blob.digest), constants.COPYFILE_FICLONE);
  }
  const annotations = parsed.tag ? { annotations: { [nameAnnotation]: parsed.tag } } : {};
  const index: Index = {
    schemaVersion: 2,
    mediaType: mediaType.ociIndex,
    manifests: [{ ...root, ...annotations }],
  };
  await writeFile(join(folder, 'index.json'), JSON.stringify(index));
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return root;
}

/**
 * Brings an image from an OCI image layout into the store under `reference`; every digest and size is checked. Of
 * several images, the one is taken whose name in the layout is the reference's tag.
 */
export async function importLayout(
  store: ContentStore,
  folder: string,
  reference: string,
): Promise<Descriptor> {
  const parsed = parseReference(reference);
  const root = choose(await readIndex(folder), folder, parsed.tag);
  const read = async (digest: string) => readFile(await regularFile(blobPath(folder, digest)));
  for (const blob of await closure(root, read)) {
    if (await store.touch(blob.digest)) continue;
    const file = await regularFile(blobPath(folder, blob.digest));
    await store.put(createReadStream(file), { expectedDigest: blob.digest, expectedSize: blob.size });
  }
  await store.name(parsed, root);
  return root;
}

/** A descriptor and everything below it, the needed before what needs it. */
async function closure(
  root: Descriptor,
  read: (digest: string) => Promise<Uint8Array>,
): Promise<Descriptor[]> {
  const content = decodeManifest(await read(root.digest), root.mediaType);
  const below: Descriptor[] = [];
  for (const needed of neededBy(content))
    below.push(...(isIndex(content) ? await closure(needed, read) : [needed]));
  return [...below, root];
}

async function readIndex(folder: string): Promise<Index> {
  const text = await orMissing(readFile(join(folder, 'index.json')));
  if (!text) throw new StatusError('NotFound', `${folder} is no OCI image layout: it has no index.json`);
  const index = decodeManifest(text, mediaType.ociIndex);
  if (isIndex(index)) return index;
  throw new StatusError('Invalid', `${folder}/index.json is not an image index`);
}

function choose(index: Index, folder: string, tag: string | undefined): Descriptor {
  const named = index.manifests.find((each) => each.annotations?.[nameAnnotation] === tag);
  const chosen = named ?? (index.manifests.length === 1 ? index.manifests[0] : undefined);
  if (!chosen) {
    const names = index.manifests.map((each) => each.annotations?.[nameAnnotation] ?? 'one without a name');
    throw new StatusError(
      'NotFound',
      `${folder} has no image named ${tag}, only ${names.join(', ') || 'nothing'}`,
    );
  }
  const { mediaType: type, digest, size } = chosen;
  return { mediaType: type, digest, size };
}

/** A layout comes from elsewhere: a link in place of a blob could name any file of this machine. */
async function regularFile(path: string): Promise<string> {
  const status = await orMissing(lstat(path));
  if (status?.isFile()) return path;
  throw new StatusError('NotFound', `the image layout has no file ${path}`);
}

const blobPath = (folder: string, digest: string): string => join(folder, 'blobs', 'sha256', hexOf(digest));
