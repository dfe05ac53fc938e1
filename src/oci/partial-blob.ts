import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isRunning } from '../base/is-running.ts';
import type { ContentStore } from './content-store.ts';
import { hexOf } from './digest.ts';
import { orMissing } from './durable-file.ts';

/** Partial files that this process is writing; its number alone can't tell, as it may be a former process's too. */
const claimed = new Set<string>();

/** What has come of a blob so far. It outlives failures and restarts, and has one writer at a time. */
export class PartialBlob {
  readonly path: string;
  readonly #resting: string;

  private constructor(path: string, resting: string) {
    this.path = path;
    this.#resting = resting;
  }

  /**
   * Takes over what an earlier download left of a blob, or begins anew. The claim is a rename to a name with our
   * process's number, so of several processes only one gets it; one that died is succeeded.
   */
  static async claim(store: ContentStore, digest: string): Promise<PartialBlob> {
    const folder = join(store.folder, 'partial');
    const hex = hexOf(digest);
    const path = join(folder, `${hex}.${process.pid}.${randomUUID()}`);
    claimed.add(path);
    for (const old of await leftOf(join(folder, hex))) {
      if (await orMissing(rename(old, path).then(() => true))) break;
    }
    await (await open(path, 'a')).close();
    return new PartialBlob(path, join(folder, hex));
  }

  async size(): Promise<number> {
    const handle = await open(this.path, 'r');
    try {
      return (await handle.stat()).size;
    } finally {
      await handle.close();
    }
  }

  async clear(): Promise<void> {
    const handle = await open(this.path, 'w');
    await handle.close();
  }

  /** Leaves the file for a later claim, if there is anything in it; once it is a blob, no other partial file of it is needed. */
  async release(): Promise<void> {
    const size = await orMissing(this.size());
    if (size === undefined) for (const old of await leftOf(this.#resting)) await rm(old, { force: true });
    else if (size === 0) await rm(this.path, { force: true });
    else await rename(this.path, this.#resting);
    claimed.delete(this.path);
  }
}

/** The partial files of a blob that nobody writes. */
async function leftOf(resting: string): Promise<string[]> {
  const folder = dirname(resting);
  return (await readdir(folder))
    .filter((name) => name.startsWith(basename(resting)) && !isOwned(name))
    .map((name) => join(folder, name))
    .filter((path) => !claimed.has(path));
}

/** Whether another, living process holds a partial file. */
function isOwned(name: string): boolean {
  const pid = Number(name.split('.')[1]);
  return Boolean(pid) && pid !== process.pid && isRunning(pid);
}
