import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointOptions } from '../training/fit-options.ts';
import type { Checkpoint, Checkpoints, Restored } from './checkpoints.ts';
import { decodeCheckpoint, encodeCheckpoint, type Training } from './format.ts';

const keepDefault = 2;
const fileName = /^checkpoint-(\d+)\.safetensors$/;
const temporaryName = /^\.checkpoint-\d+\.safetensors\.tmp$/;

/** A folder of checkpoint files, named after the steps done. A file has its name only once it is whole and on the
 * disk, so that a process may die at any moment. One training at a time uses a folder. */
export async function folderOfCheckpoints(
  { dir, keep = keepDefault }: CheckpointOptions,
  training: Training,
): Promise<Checkpoints> {
  if (!Number.isInteger(keep) || keep < 1)
    throw new RangeError(`checkpoint.keep must be a whole number above 0, got ${keep}`);
  await mkdir(dir, { recursive: true });

  async function save(checkpoint: Checkpoint): Promise<void> {
    const name = `checkpoint-${String(checkpoint.state.iteration).padStart(10, '0')}.safetensors`;
    await writeAtomically(dir, name, encodeCheckpoint(checkpoint, training));
    const names = await list();
    for (const old of names.slice(keep)) await rm(join(dir, old), { force: true });
  }

  async function latest(): Promise<Restored | undefined> {
    for (const name of await readdir(dir)) {
      if (temporaryName.test(name)) await rm(join(dir, name), { force: true });
    }
    const [newest] = await list();
    if (newest === undefined) return undefined;
    const path = join(dir, newest);
    try {
      return decodeCheckpoint(await readFile(path), training);
    } catch (cause) {
      throw new Error(`Cannot go on from ${path}: ${(cause as Error).message}`, { cause });
    }
  }

  /** The newest first. */
  async function list(): Promise<string[]> {
    const names = (await readdir(dir)).filter((name) => fileName.test(name));
    const step = (name: string) => Number(fileName.exec(name)![1]);
    return names.toSorted((a, b) => step(b) - step(a));
  }

  return { save, latest };
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_DSYNC = 0 } = constants;
/** Node's permission model denies fsync (tried on Node 26), but not files whose every write reaches the disk. */
const syncedWrite = O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC;

/** Under another name, to the disk, then renamed; the folder too must reach the disk for the name to last. */
async function writeAtomically(dir: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dir, `.${name}.tmp`);
  const isConfined = process.permission !== undefined;
  const file = await open(temporary, isConfined ? syncedWrite : 'w');
  try {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    if (!isConfined) await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(dir, name));
  const folder = await open(dir, 'r');
  // Windows cannot sync a folder, and keeps renames anyway; where it is denied, the one before may come back.
  await folder.sync().catch(() => {});
  await folder.close();
}
