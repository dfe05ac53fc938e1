import { mkdirSync, utimesSync } from 'node:fs';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ContainerSpec } from '../runtime.ts';

/** How many folders of compiled code a node keeps; the one unused for longest goes first. */
export const foldersMax = 64;
/** How much compiled code a node keeps. */
export const bytesMax: number = 256 * 2 ** 20;
/** Looking through the folders costs something, and nothing depends on it. */
const pruneEveryMs = 60_000;
/** What no path has a part named like: ends the name of an image's folder. */
const leaf = '=';

/** Compiled code of pods, so that the next start of the same image is faster. */
export class CompileCache {
  readonly #dir: string;
  #prunedAtMs = Number.NEGATIVE_INFINITY;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * One folder for each service account and image: who can write compiled code can run as whoever loads it. Named by
   * the image's path and not by its digest, because `node:crypto` would cost the shim 5 MB.
   */
  folderFor(spec: ContainerSpec): string {
    const folder = this.#at(spec);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const now = new Date();
    utimesSync(folder, now, now);
    return folder;
  }

  /** Prunes if that hasn't been done for a while; a folder that can't be removed now is tried the next time. */
  pruneSometimes(running: () => ContainerSpec[]): void {
    if (performance.now() - this.#prunedAtMs < pruneEveryMs) return;
    this.#prunedAtMs = performance.now();
    this.prune(running()).catch(() => {});
  }

  /** Removes what was unused for longest until the rest is within bounds. */
  async prune(running: ContainerSpec[], bounds = { foldersMax, bytesMax }): Promise<void> {
    const inUse = new Set(running.map((spec) => this.#at(spec)));
    const folders = await Promise.all((await leavesIn(this.#dir)).map(measure));
    let count = folders.length;
    let bytes = folders.reduce((sum, folder) => sum + folder.bytes, 0);
    for (const folder of folders.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
      if (count <= bounds.foldersMax && bytes <= bounds.bytesMax) return;
      if (inUse.has(folder.at)) continue;
      await rm(folder.at, { recursive: true, force: true });
      await removeEmpty(path.dirname(folder.at), this.#dir);
      count--;
      bytes -= folder.bytes;
    }
  }

  #at({ pod, rootDir }: ContainerSpec): string {
    return path.join(this.#dir, pod.namespace, pod.serviceAccount, rootDir, leaf);
  }
}

async function leavesIn(dir: string): Promise<string[]> {
  const found: string[] = [];
  const waiting = [dir];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true }).catch(() => [])) {
      if (entry.isDirectory()) (entry.name === leaf ? found : waiting).push(path.join(at, entry.name));
    }
  }
  return found;
}

async function measure(at: string): Promise<{ at: string; usedAtMs: number; bytes: number }> {
  const { mtimeMs } = await stat(at);
  let bytes = 0;
  for (const name of await readdir(at, { recursive: true })) {
    bytes += (await stat(path.join(at, name)).catch(() => ({ size: 0 }))).size;
  }
  return { at, usedAtMs: mtimeMs, bytes };
}

/** Removes a folder and those above it, up to `top`, as far as they have become empty. */
async function removeEmpty(folder: string, top: string): Promise<void> {
  for (let at = folder; at !== top; at = path.dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return;
    }
  }
}
