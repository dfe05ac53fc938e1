import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf } from '../../oci/digest.ts';
import type { VolumeFile } from './volume-files.ts';

/** Writes that are under way, by folder: the containers of a pod share its volumes, and start at the same time. */
const underWay = new Map<string, Promise<boolean>>();

/**
 * Makes a folder show exactly these files, all of them changing at once, as kubelet does: the files lie in
 * `..<digest>`, `..data` points there, and each name at the top points into `..data`. Returns whether it changed.
 */
export async function writeAtomically(folder: string, files: VolumeFile[]): Promise<boolean> {
  const before = underWay.get(folder) ?? Promise.resolve(false);
  const writing = before.catch(() => false).then(() => write(folder, files));
  underWay.set(folder, writing);
  try {
    return await writing;
  } finally {
    if (underWay.get(folder) === writing) underWay.delete(folder);
  }
}

async function write(folder: string, files: VolumeFile[]): Promise<boolean> {
  const version = `..${contentDigest(files).slice('sha256:'.length, 'sha256:'.length + 16)}`;
  await mkdir(folder, { recursive: true });
  const entries = await readdir(folder);
  if (entries.includes(version) && entries.includes('..data')) return false;
  const unfinished = join(folder, '..new');
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished);
  for (const file of files) {
    const path = join(unfinished, file.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.content, { mode: file.mode });
  }
  await rename(unfinished, join(folder, version));
  await point(folder, '..data', version);
  const tops = new Set(files.map((file) => file.path.split('/')[0]!));
  for (const top of tops) if (!entries.includes(top)) await symlink(join('..data', top), join(folder, top));
  for (const entry of entries) {
    const isOld = entry.startsWith('..') ? entry !== '..data' && entry !== version : !tops.has(entry);
    if (isOld) await rm(join(folder, entry), { recursive: true, force: true });
  }
  return true;
}

async function point(folder: string, name: string, target: string): Promise<void> {
  const temporary = join(folder, `${name}_tmp`);
  await rm(temporary, { force: true });
  await symlink(target, temporary);
  await rename(temporary, join(folder, name));
}

function contentDigest(files: VolumeFile[]): string {
  const parts = files.map(({ path, content, mode }) => `${path}\0${mode}\0${digestOf(content)}`);
  return digestOf(parts.sort().join('\n'));
}

/** Reads a file of such a folder, for tests and for the kubelet API. */
export const readShown = (folder: string, path: string): Promise<string> =>
  readFile(join(folder, path), 'utf8');
