import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { ContentStore } from './content-store.ts';
import { orMissing } from './durable-file.ts';
import { type Descriptor, decodeManifest, manifestBytesMax, neededBy } from './manifest.ts';
import { isIndexType, isManifestType } from './media-types.ts';

/** Content younger than this is kept: a push stores its blobs before the manifest that names them. */
export const gracePeriodMs: number = 60 * 60 * 1000;

export interface Collected {
  blobs: number;
  bytes: number;
}

/**
 * Removes blobs that no named manifest needs, old temporary files and expired uploads. `untagged: 'remove'` also
 * drops manifests that no tag points at, unless `keep` lists their digests (of images in use, say).
 */
export async function garbageCollect(
  store: ContentStore,
  options: { graceMs?: number; untagged?: 'keep' | 'remove'; keep?: Iterable<string> } = {},
): Promise<Collected> {
  const graceMs = options.graceMs ?? gracePeriodMs;
  const keep = new Set(options.keep);
  await restoreInterrupted(store);
  if (options.untagged === 'remove') await unlinkUntagged(store, keep, graceMs);
  const marked = (await neededBlobs(store)).union(keep);
  const collected = await sweep(store, marked, graceMs);
  await store.uploads.expire();
  await dropOldFiles(store, graceMs);
  return collected;
}

/** The digests of every blob that some repository's manifests lead to, and of these manifests. */
export async function neededBlobs(store: ContentStore): Promise<Set<string>> {
  const marked = new Set<string>();
  const walk = async (descriptor: Descriptor): Promise<void> => {
    if (marked.has(descriptor.digest)) return;
    marked.add(descriptor.digest);
    if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) return;
    // A platform's manifest that was never pulled is no reason to stop.
    if (!(await store.has(descriptor.digest))) return;
    const content = decodeManifest(
      await store.read(descriptor.digest, manifestBytesMax),
      descriptor.mediaType,
    );
    for (const needed of neededBy(content)) await walk(needed);
  };
  for (const repository of await store.repositories.list()) {
    for (const manifest of await store.repositories.manifests(repository)) {
      await walk(manifest);
    }
  }
  return marked;
}

async function unlinkUntagged(store: ContentStore, keep: Set<string>, graceMs: number): Promise<void> {
  const { repositories } = store;
  for (const repository of await repositories.list()) {
    const wanted = await taggedIn(store, repository);
    for (const manifest of await repositories.manifests(repository)) {
      if (wanted.has(manifest.digest) || keep.has(manifest.digest)) continue;
      const status = await orMissing(stat(store.path(manifest.digest)));
      if (status && store.clock.nowMs() - status.mtimeMs < graceMs) continue;
      const content = status && decodeManifest(await store.read(manifest.digest), manifest.mediaType);
      await repositories.removeManifest(repository, manifest.digest, content?.subject?.digest);
    }
  }
}

/** What a repository's tags lead to, with the parts of an index and all referrers of what is kept. */
async function taggedIn(store: ContentStore, repository: string): Promise<Set<string>> {
  const wanted = new Set<string>();
  const want = async (descriptor: Descriptor): Promise<void> => {
    if (wanted.has(descriptor.digest)) return;
    wanted.add(descriptor.digest);
    for (const referrer of await store.repositories.referrers(repository, descriptor.digest))
      await want(referrer);
    if (!isIndexType(descriptor.mediaType) || !(await store.has(descriptor.digest))) return;
    for (const part of neededBy(decodeManifest(await store.read(descriptor.digest)))) await want(part);
  };
  for (const tag of await store.repositories.tags(repository)) {
    const manifest = await store.repositories.tag(repository, tag);
    if (manifest) await want(manifest);
  }
  return wanted;
}

/**
 * Each blob is first moved aside, then its time is looked at: whoever touched it before the move is seen here, and
 * whoever comes after it finds no blob. So no push can lose one between its check and its manifest.
 */
async function sweep(store: ContentStore, marked: Set<string>, graceMs: number): Promise<Collected> {
  const collected = { blobs: 0, bytes: 0 };
  for (const hex of await readdir(join(store.folder, 'blobs', 'sha256'))) {
    const digest = `sha256:${hex}`;
    if (!/^[0-9a-f]{64}$/.test(hex) || marked.has(digest)) continue;
    const isOld = (status: { mtimeMs: number }) => store.clock.nowMs() - status.mtimeMs >= graceMs;
    const before = await orMissing(stat(store.path(digest)));
    if (!before || !isOld(before)) continue;
    const aside = join(store.temporary, `gc-${hex}`);
    await orMissing(rename(store.path(digest), aside));
    const after = await orMissing(stat(aside));
    // Another collector on the same folder took it.
    if (!after) continue;
    if (isOld(after)) {
      await rm(aside, { force: true });
      collected.blobs++;
      collected.bytes += before.size;
    } else {
      await orMissing(rename(aside, store.path(digest)));
    }
  }
  return collected;
}

/** A collector that was killed between moving a blob aside and deciding leaves it to this one. */
async function restoreInterrupted(store: ContentStore): Promise<void> {
  for (const name of await readdir(store.temporary)) {
    if (name.startsWith('gc-'))
      await rename(join(store.temporary, name), store.path(`sha256:${name.slice(3)}`));
  }
}

async function dropOldFiles(store: ContentStore, graceMs: number): Promise<void> {
  // A partial download is worth keeping for longer than a grace period: it is what a weak link resumes from.
  const ageMs = { tmp: Math.max(graceMs, gracePeriodMs), partial: 7 * 24 * 60 * 60 * 1000 };
  for (const [folder, ageMaxMs] of Object.entries(ageMs)) {
    for (const name of await readdir(join(store.folder, folder))) {
      const path = join(store.folder, folder, name);
      const status = await orMissing(stat(path));
      if (status && store.clock.nowMs() - status.mtimeMs > ageMaxMs)
        await rm(path, { recursive: true, force: true });
    }
  }
}
