import type { Stats } from 'node:fs';
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** A container's files as its specification names them, and where they really lie on the node. */
export interface FileTable {
  rootDir: string;
  mounts: { mountPath: string; hostPath: string; readOnly: boolean }[];
}

export interface Entry {
  name: string;
  isDirectory: boolean;
}

/**
 * Translates the paths that a container sees into paths on the node. An isolate has no mount namespace, so this is done
 * by name: the longest mount path that fits, else the image. Links may not lead out of where they lie.
 */
export class PodFiles {
  readonly #rootDir: string;
  readonly #mounts: FileTable['mounts'];
  #workingDir: string;

  constructor(table: FileTable, workingDir: string) {
    this.#rootDir = table.rootDir;
    this.#mounts = table.mounts
      .map((mount) => ({
        ...mount,
        mountPath: path.posix.normalize(mount.mountPath).replace(/(.)\/$/, '$1'),
      }))
      .sort((a, b) => b.mountPath.length - a.mountPath.length);
    this.#workingDir = this.shown(workingDir);
  }

  get workingDir(): string {
    return this.#workingDir;
  }

  /** The same files, with a working folder of its own. */
  copy(): PodFiles {
    const copy = new PodFiles({ rootDir: this.#rootDir, mounts: this.#mounts }, this.#rootDir);
    copy.#workingDir = this.#workingDir;
    return copy;
  }

  async changeDir(to: string): Promise<void> {
    if (!(await this.stat(to)).isDirectory()) throw failure('ENOTDIR', to);
    this.#workingDir = this.absolute(to);
  }

  /** The path in the container, whole and without dots. */
  absolute(name: string): string {
    const whole = path.posix.resolve(this.#workingDir, name);
    // As in most images, where one is a link to the other.
    return whole === '/run' || whole.startsWith('/run/') ? `/var${whole}` : whole;
  }

  /** The path in the container of a path on the node; `/` for one that is not in it. */
  shown(hostPath: string): string {
    for (const { mountPath, hostPath: at } of this.#mounts) {
      if (isWithin(at, hostPath)) return path.posix.join(mountPath, path.relative(at, hostPath));
    }
    return isWithin(this.#rootDir, hostPath)
      ? path.posix.join('/', path.relative(this.#rootDir, hostPath))
      : '/';
  }

  /** Where a file lies that may be read; throws as `fs` does. */
  async toRead(name: string): Promise<string> {
    const { hostPath, top } = this.#locate(name);
    await this.#checkWithin(hostPath, top, name);
    return hostPath;
  }

  /** Where a file lies that is to be written, made or removed. */
  async toWrite(name: string): Promise<string> {
    const { hostPath, top, readOnly } = this.#locate(name);
    if (readOnly) throw failure('EROFS', name);
    await this.#checkWithin(
      path.dirname(hostPath) === path.dirname(top) ? top : path.dirname(hostPath),
      top,
      name,
    );
    const target = await lstat(hostPath).catch(() => undefined);
    if (target?.isSymbolicLink()) await this.#checkWithin(hostPath, top, name);
    return hostPath;
  }

  /** A mount's parents are folders even if the image lacks them. */
  async stat(name: string, options: { follow?: boolean } = {}): Promise<Stats> {
    const { hostPath, top } = this.#locate(name);
    try {
      const found = options.follow === false ? await lstat(hostPath) : await stat(await this.toRead(name));
      return found;
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && this.#mountsBelow(name).length > 0) return stat(top);
      throw error;
    }
  }

  async list(name: string): Promise<Entry[]> {
    const names = new Map<string, boolean>();
    const below = this.#mountsBelow(name);
    try {
      for (const entry of await readdir(await this.toRead(name), { withFileTypes: true })) {
        names.set(entry.name, entry.isDirectory());
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || below.length === 0) throw error;
    }
    for (const each of below) names.set(each, true);
    return [...names]
      .map(([entry, isDirectory]) => ({ name: entry, isDirectory }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async readLink(name: string): Promise<string> {
    return readlink(this.#locate(name).hostPath);
  }

  /** Every mount, and the image at `/`. */
  get mounts(): readonly { mountPath: string; hostPath: string }[] {
    return [{ mountPath: '/', hostPath: this.#rootDir }, ...this.#mounts];
  }

  /** The names, in a folder, that lead to mounts. */
  #mountsBelow(name: string): string[] {
    const folder = this.absolute(name);
    const prefix = folder === '/' ? '/' : `${folder}/`;
    const below = this.#mounts.filter(({ mountPath }) => mountPath.startsWith(prefix));
    return [...new Set(below.map(({ mountPath }) => mountPath.slice(prefix.length).split('/')[0]!))];
  }

  #locate(name: string): { hostPath: string; top: string; readOnly: boolean } {
    const whole = this.absolute(name);
    for (const { mountPath, hostPath, readOnly } of this.#mounts) {
      if (whole !== mountPath && !whole.startsWith(mountPath === '/' ? '/' : `${mountPath}/`)) continue;
      return { hostPath: path.join(hostPath, whole.slice(mountPath.length)), top: hostPath, readOnly };
    }
    return { hostPath: path.join(this.#rootDir, whole), top: this.#rootDir, readOnly: true };
  }

  async #checkWithin(hostPath: string, top: string, name: string): Promise<void> {
    const [real, realTop] = [await realpath(hostPath), await realpath(top)];
    if (!isWithin(realTop, real)) throw failure('EACCES', name);
  }
}

function isWithin(folder: string, target: string): boolean {
  return target === folder || target.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}

function failure(code: string, name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${name}`), { code });
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

const reasons: Record<string, string> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ERR_ACCESS_DENIED: 'Permission denied',
  EROFS: 'Read-only file system',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  EEXIST: 'File exists',
  ENOTEMPTY: 'Directory not empty',
  ENOSPC: 'No space left on device',
  EXDEV: 'Invalid cross-device link',
};

/** Why a file operation failed, in the words of every Unix, without paths of the node. */
export function reasonOf(error: unknown): string {
  return reasons[codeOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error));
}
