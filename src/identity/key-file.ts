import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, StatusError } from '../base/errors.ts';

/** Reads the file at `path`, or makes it (mode 0600) with what `create` gives; two makers at once get the same. */
export function loadOrCreateFile(path: string, create: () => Uint8Array | string): Buffer {
  const existing = readIfExists(path);
  if (existing) return existing;
  const temporary = writeTemporary(path, create());
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw cannotWrite(path, error);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(path));
  return readFileSync(path);
}

/** A secret of `bytes` random bytes that is kept in the file at `path`, as base64. */
export function loadOrCreateKey(path: string, bytes = 32): Buffer {
  const text = loadOrCreateFile(path, () => `${randomBytes(bytes).toString('base64')}\n`)
    .toString()
    .trim();
  const key = Buffer.from(text, 'base64');
  if (key.length === bytes) return key;
  throw new StatusError(
    'InternalError',
    `The key file ${path} holds ${key.length} bytes; it needs ${bytes} as base64. Restore it from a backup.`,
  );
}

/**
 * Replaces the file at `path` as a whole: a reader sees the old content or the new. Mode 0600; durable on return.
 * Where root replaces another user's file (`sudo` may keep $HOME), it stays that user's.
 */
export function writePrivateFile(path: string, content: Uint8Array | string): void {
  const temporary = writeTemporary(path, content);
  try {
    const replaced = process.getuid?.() === 0 ? statSync(path, { throwIfNoEntry: false }) : undefined;
    if (replaced) chownSync(temporary, replaced.uid, replaced.gid);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw cannotWrite(path, error);
  }
  syncFolder(dirname(path));
}

/** Undefined when there is no such file; any other trouble throws. */
export function readIfExists(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StatusError('InternalError', `Cannot read ${path}: ${messageOf(cause)}.`, { cause });
  }
}

function writeTemporary(path: string, content: Uint8Array | string): string {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      const bytes = Buffer.from(content as Uint8Array);
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    rmSync(temporary, { force: true });
    throw cannotWrite(path, error);
  }
  return temporary;
}

/** So that the new name itself survives a power cut; Windows cannot open a folder, and need not. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function cannotWrite(path: string, cause: unknown): StatusError {
  return new StatusError('InternalError', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
}
