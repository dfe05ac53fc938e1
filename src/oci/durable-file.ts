import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Node's permission model, under which pods run, denies fsync (tried on Node 26): what a pod stores is its own scratch. */
export const maySync: boolean = process.permission === undefined;

/** Replaces a small file so that after a crash there is the old or the new content, never a part. */
export async function writeDurably(path: string, content: string | Uint8Array, temporary: string) {
  const temp = join(temporary, `${process.pid}-${randomUUID()}`);
  try {
    const handle = await open(temp, 'wx', 0o644);
    try {
      await handle.writeFile(content);
      if (maySync) await handle.sync();
    } finally {
      await handle.close();
    }
    await moveDurably(temp, path);
  } finally {
    await rm(temp, { force: true });
  }
}

/** Renames a file that is itself already on disk, and makes the new name durable too. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Windows can't open a folder to sync it; its file systems journal names themselves. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32' || !maySync) return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs `action`; a missing file or folder gives undefined instead of an error. */
export async function orMissing<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    // ENOTDIR: a parent of the path is a file, so the path is missing too.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
