import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { ContentStore } from '../../oci/content-store.ts';
import { hexOf } from '../../oci/digest.ts';
import { orMissing } from '../../oci/durable-file.ts';
import { garbageCollect } from '../../oci/garbage-collect.ts';
import { imageBytes, readImage } from '../../oci/image.ts';
import { parseReference, storedRepository } from '../../oci/reference.ts';
import type { NodeState } from '../state.ts';
import { isBuiltin } from './builtin-images.ts';

/** What is just being started uses its image, though its record doesn't say so yet. */
const keepUsedMs = 60_000;
/** Where images are shown as folders, each by its digest. */
const shownIn = ['unpacked', 'artifacts'];

export interface CollectOptions {
  folder: string;
  store: ContentStore;
  state: NodeState;
  clock: Clock;
  log: Log;
  /** Image ids (`name@digest`) that pods use now. */
  inUse: () => Set<string>;
  bytesMax: number;
  justPulled: string;
}

/**
 * Removes images that were unused for longest until the rest is within bounds, and at any size those whose name means
 * another image by now.
 */
export async function collectImages(options: CollectOptions): Promise<void> {
  const { store, inUse } = options;
  // A built-in image is no blob of this store, and is named without a digest.
  const stored = [...inUse()].filter((id) => !isBuiltin(id));
  const used = new Set(stored.map((id) => id.slice(id.indexOf('@') + 1)));
  const dropped = await dropSuperseded(options, used);
  const isOver = await dropUnused(options, used);
  if (dropped.length === 0 && !isOver) return;
  const known = options.state.images();
  // An image that is named by digest has no tag; of one for several platforms, the digest is their index's.
  const roots = await Promise.all(known.map(({ reference }) => store.resolve(reference)));
  const keep = [
    ...used,
    ...known.map(({ digest }) => digest),
    ...roots.flatMap((root) => root?.digest ?? []),
  ];
  await garbageCollect(store, { untagged: 'remove', keep });
}

/** Folders of images that no name leads to any more, such as that of a tag which was pushed anew. */
async function dropSuperseded(options: CollectOptions, used: ReadonlySet<string>): Promise<string[]> {
  const { folder, state, clock, log } = options;
  const known = new Set([...used, ...state.images().map(({ digest }) => digest)].map(hexOf));
  const dropped: string[] = [];
  for (const part of shownIn) {
    for (const hex of (await orMissing(readdir(join(folder, part)))) ?? []) {
      if (!/^[0-9a-f]{64}$/.test(hex) || known.has(hex)) continue;
      const path = join(folder, part, hex);
      const status = await orMissing(stat(path));
      if (!status || clock.nowMs() - status.mtimeMs < keepUsedMs) continue;
      await rm(path, { recursive: true, force: true });
      dropped.push(hex);
      log.info('removed an image that has no name any more', { digest: `sha256:${hex}` });
    }
  }
  return dropped;
}

/** Whether the images were more than the bound. */
async function dropUnused(options: CollectOptions, used: ReadonlySet<string>): Promise<boolean> {
  const { state, bytesMax, folder, log, clock, store, justPulled } = options;
  const uses = state.images().sort((a, b) => b.usedAtMs - a.usedAtMs);
  const sizes = await Promise.all(
    uses.map(async ({ reference }) => readImage(store, reference).then(imageBytes, () => 0)),
  );
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes <= bytesMax) return false;
  for (let at = uses.length - 1; at >= 0 && bytes > bytesMax; at--) {
    const { reference, digest, usedAtMs } = uses[at]!;
    const isFresh = clock.nowMs() - usedAtMs < keepUsedMs;
    if (reference === justPulled || isFresh || used.has(digest)) continue;
    const parsed = parseReference(reference);
    // Of an image for several platforms, the name leads to their index.
    const root = await store.resolve(parsed);
    for (const each of new Set([digest, root?.digest ?? digest])) {
      await store.repositories.removeManifest(storedRepository(parsed), each);
    }
    for (const part of shownIn) {
      await rm(join(folder, part, hexOf(digest)), { recursive: true, force: true });
    }
    state.removeImage(reference);
    bytes -= sizes[at]!;
    log.info('removed an unused image', { image: reference });
  }
  return true;
}
