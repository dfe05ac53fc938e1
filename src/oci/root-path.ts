import { lstat, mkdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import { StatusError } from '../base/errors.ts';
import { orMissing } from './durable-file.ts';

const linksMax = 40;
const pathBytesMax = 4096;

/** The parts of a path in an image; `..` above the root, empty parts and bytes that no file has are refused. */
export function partsOf(path: string): string[] {
  if (Buffer.byteLength(path) > pathBytesMax) throw unsafe(path, `longer than ${pathBytesMax} bytes`);
  if (path.includes('\0')) throw unsafe(path, 'it has a NUL byte');
  // A drive letter or a backslash would mean something else on Windows than in the image.
  if (process.platform === 'win32' && /[\\:]/.test(path)) throw unsafe(path, 'no Windows path');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw unsafe(path, 'it has a ".." part');
  return parts;
}

/**
 * The real folder that `parts` name inside `root`, as a process would see it whose root is there: links are followed,
 * absolute ones from `root`, and `..` stops at `root`. Missing folders are made if `create` asks.
 */
export async function folderInRoot(
  root: string,
  parts: string[],
  options: { create: boolean },
): Promise<string> {
  const done: string[] = [];
  const rest = [...parts];
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift()!;
    if (part === '..') done.pop();
    if (part === '..' || part === '.' || part === '') continue;
    const path = join(root, ...done, part);
    const status = await orMissing(lstat(path));
    if (status?.isSymbolicLink()) {
      if (++links > linksMax) throw unsafe(parts.join('/'), 'it goes through a loop of links');
      const target = await readlink(path);
      if (target.startsWith('/')) done.length = 0;
      rest.unshift(...target.split('/'));
      continue;
    }
    if (!status && options.create) await mkdir(path, { mode: 0o755 });
    if (status && !status.isDirectory()) throw unsafe(parts.join('/'), `${part} is not a folder`);
    done.push(part);
  }
  return join(root, ...done);
}

/** Whether following the link at `parts` ever steps above `root` or to an absolute path. */
export async function leavesRoot(root: string, parts: string[]): Promise<boolean> {
  const done: string[] = [];
  const rest = [...parts];
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (done.length === 0) return true;
      done.pop();
      continue;
    }
    const path = join(root, ...done, part);
    const status = await orMissing(lstat(path));
    if (!status?.isSymbolicLink()) {
      done.push(part);
      continue;
    }
    const target = await readlink(path);
    if (target.startsWith('/')) return true;
    // A loop leads nowhere, so not outside either.
    if (++links > linksMax) return false;
    rest.unshift(...target.split('/'));
  }
  return false;
}

export function unsafe(path: string, why: string): StatusError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new StatusError('Invalid', `refusing to unpack ${JSON.stringify(shown)}: ${why}`);
}
