import {
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf } from '../../oci/digest.ts';
import { orMissing } from '../../oci/durable-file.ts';
import type { VolumeFile } from './volume-files.ts';

/** Changes that are under way, by folder: the containers of a pod share its volumes, and start at the same time. */
const underWay = new Map<string, Promise<boolean>>();

/**
 * Makes a folder show exactly these files, all of them changing at once, as kubelet does: the files lie in
 * `..<digest>`, `..data` points there, and each name at the top points into `..data`. Returns whether it changed.
 */
export function writeAtomically(folder: string, files: VolumeFile[]): Promise<boolean> {
  return inTurn(folder, () => write(folder, files));
}

/** Makes a folder show what lies in another one, in the same way; its files are links to those, and take no room. */
export function showAtomically(folder: string, source: string): Promise<boolean> {
  return inTurn(folder, async () => {
    const version = `..${digestOf(source).slice('sha256:'.length, 'sha256:'.length + 16)}`;
    const fill = (into: string) => linkFolder(source, into);
    return replace(folder, { version, tops: new Set(await readdir(source)), fill });
  });
}

/** One change of a folder at a time, in the order in which they were asked for. */
async function inTurn(folder: string, change: () => Promise<boolean>): Promise<boolean> {
  const before = underWay.get(folder) ?? Promise.resolve(false);
  const changing = before.catch(() => false).then(change);
  underWay.set(folder, changing);
  try {
    return await changing;
  } finally {
    if (underWay.get(folder) === changing) underWay.delete(folder);
  }
}

function write(folder: string, files: VolumeFile[]): Promise<boolean> {
  const version = `..${contentDigest(files).slice('sha256:'.length, 'sha256:'.length + 16)}`;
  const tops = new Set(files.map((file) => file.path.split('/')[0]!));
  const fill = async (into: string) => {
    for (const file of files) {
      const path = join(into, file.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, file.content, { mode: file.mode });
    }
  };
  return replace(folder, { version, tops, fill });
}

async function replace(
  folder: string,
  next: { version: string; tops: ReadonlySet<string>; fill: (into: string) => Promise<void> },
): Promise<boolean> {
  const { version, tops, fill } = next;
  await mkdir(folder, { recursive: true });
  const entries = await readdir(folder);
  const isShown = (await orMissing(readlink(join(folder, '..data')))) === version;
  if (isShown && [...tops].every((top) => entries.includes(top))) return false;
  if (!isShown) {
    // What an agent that was killed had made of it is made again.
    const unfinished = join(folder, '..new');
    for (const left of [unfinished, join(folder, version)]) await rm(left, { recursive: true, force: true });
    await mkdir(unfinished);
    await fill(unfinished);
    await rename(unfinished, join(folder, version));
  }
  await point(folder, '..data', version);
  for (const top of tops) if (!entries.includes(top)) await symlink(join('..data', top), join(folder, top));
  for (const entry of entries) {
    const isOld = entry.startsWith('..') ? entry !== '..data' && entry !== version : !tops.has(entry);
    if (isOld) await rm(join(folder, entry), { recursive: true, force: true });
  }
  return true;
}

/** Files as hard links, links to files as the files that they lead to; a link to a folder is refused. */
async function linkFolder(source: string, into: string): Promise<void> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(into, entry.name)];
    if (entry.isDirectory()) {
      await mkdir(to);
      await linkFolder(from, to);
      continue;
    }
    const file = entry.isSymbolicLink() ? await realpath(from) : from;
    // Not every file system has hard links.
    await link(file, to).catch(() => copyFile(file, to));
  }
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
