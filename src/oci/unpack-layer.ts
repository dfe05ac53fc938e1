import { createWriteStream } from 'node:fs';
import { chmod, lchown, link, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Header } from 'tar-stream';

import { StatusError } from '../base/errors.ts';
import { orMissing } from './durable-file.ts';
import { folderInRoot, leavesRoot, partsOf, unsafe } from './root-path.ts';

/** All layers of one image together, uncompressed. */
export const unpackedBytesMax: number = 16 * 1024 ** 3;
export const unpackedEntriesMax = 1_000_000;

export interface UnpackOptions {
  /**
   * `isolate`: the tree is used in place, so a link that leads out of it is refused, and so is a device.
   * `container`: the tree becomes a process's root, so links stay as they are, owners are set (as root), and devices
   * are left out, since a container runtime makes its own.
   */
  use: 'isolate' | 'container';
  bytesMax?: number;
  entriesMax?: number;
  signal?: AbortSignal;
}

/** What has been unpacked so far, of all layers; paths are relative to the root. */
export interface Unpacked {
  bytes: number;
  entries: number;
  files: Set<string>;
  links: Set<string>;
  /** Set at the end, so that a folder without write permission doesn't stop its own filling. */
  folderModes: Map<string, number>;
}

const whiteout = '.wh.';
const opaque = '.wh..wh..opq';

/** Writes one layer's entries over those below it (OCI image-spec `layer.md`). */
export class LayerWriter {
  readonly #root: string;
  readonly #unpacked: Unpacked;
  readonly #options: UnpackOptions;
  /** What this layer itself wrote; its whiteouts hide only what lies below it. */
  readonly #own = new Set<string>();

  constructor(root: string, unpacked: Unpacked, options: UnpackOptions) {
    this.#root = root;
    this.#unpacked = unpacked;
    this.#options = options;
  }

  async write(header: Header, content: Readable): Promise<void> {
    const entriesMax = this.#options.entriesMax ?? unpackedEntriesMax;
    if (++this.#unpacked.entries > entriesMax) {
      throw new StatusError('RequestEntityTooLarge', `the image has more than ${entriesMax} entries`);
    }
    const parts = partsOf(header.name);
    const name = parts.pop();
    if (name === undefined) return drain(content);
    const folder = await folderInRoot(this.#root, parts, { create: true });
    if (name === opaque) await this.#hideBelow(folder);
    else if (name.startsWith(whiteout)) await this.#hide(folder, name.slice(whiteout.length));
    else await this.#place(header, join(folder, name), content);
    await drain(content);
  }

  /** After the last layer: checks links and sets folders' modes. */
  async finish(): Promise<void> {
    if (this.#options.use === 'isolate') {
      for (const path of this.#unpacked.links) {
        if (await leavesRoot(this.#root, path.split('/'))) throw unsafe(path, 'it links out of the image');
      }
    }
    for (const [path, mode] of this.#unpacked.folderModes) {
      const full = join(this.#root, path);
      if ((await orMissing(lstat(full)))?.isDirectory()) await chmod(full, mode);
    }
    // It was closed to others while it was filled; a process of another user lives in it.
    await chmod(this.#root, 0o755);
  }

  async #place(header: Header, path: string, content: Readable): Promise<void> {
    const here = this.#relative(path);
    if (header.type === 'directory') {
      await this.#folder(path);
      this.#unpacked.folderModes.set(here, this.#mode(header, 0o700));
    } else if (header.type === 'file' || header.type === 'contiguous-file') {
      await this.#clear(path);
      await pipeline(content, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      this.#unpacked.files.add(here);
    } else if (header.type === 'symlink') {
      await this.#clear(path);
      await symlink(checkTarget(header), path);
      this.#unpacked.links.add(here);
    } else if (header.type === 'link') {
      await this.#hardLink(header, path);
    } else if (this.#options.use === 'isolate') {
      throw unsafe(header.name, `it is a ${header.type ?? 'special file'}`);
    } else return;
    this.#own.add(here);
    if (header.type === 'link') return;
    await this.#setOwner(path, header);
    // After the owner: a change of owner clears the set-user-ID bit.
    if (header.type !== 'symlink' && header.type !== 'directory')
      await chmod(path, this.#mode(header, 0o400));
  }

  /** An isolate runs as the agent's own user, where a set-user-ID file would only be a danger. */
  #mode(header: Header, needed: number): number {
    return this.#options.use === 'container' ? header.mode & 0o7777 : (header.mode & 0o755) | needed;
  }

  async #folder(path: string): Promise<void> {
    const status = await orMissing(lstat(path));
    if (status?.isDirectory()) return;
    if (status) await this.#clear(path);
    await mkdir(path, { mode: 0o755 });
  }

  async #hardLink(header: Header, path: string): Promise<void> {
    const parts = partsOf(header.linkname ?? '');
    const name = parts.pop();
    if (name === undefined) throw unsafe(header.name, 'it is a link to nothing');
    const target = join(await folderInRoot(this.#root, parts, { create: false }), name);
    if (target === path) return;
    const status = await orMissing(lstat(target));
    if (status?.isSymbolicLink()) {
      const pointsAt = await readlink(target);
      await this.#clear(path);
      await symlink(pointsAt, path);
      this.#unpacked.links.add(this.#relative(path));
      return;
    }
    if (!status?.isFile())
      throw unsafe(header.name, `it is a hard link to ${header.linkname}, which is no file`);
    await this.#clear(path);
    await link(target, path);
  }

  async #setOwner(path: string, header: Header): Promise<void> {
    if (this.#options.use === 'container' && process.getuid?.() === 0)
      await lchown(path, header.uid, header.gid);
  }

  async #hide(folder: string, name: string): Promise<void> {
    if (name === '' || name === '.' || name === '..') throw unsafe(`${whiteout}${name}`, 'it hides no file');
    // Reserved for the makers of layers (`.wh..wh.plnk` and the like): no file of the image.
    if (name.startsWith(whiteout)) return;
    const path = join(folder, name);
    if (!this.#own.has(this.#relative(path))) await this.#clear(path);
  }

  async #hideBelow(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (!this.#own.has(this.#relative(path))) await this.#clearExceptOwn(path);
      else if (entry.isDirectory()) await this.#hideBelow(path);
    }
  }

  /** A folder that this layer made implicitly, by a file in it, is not in `own`, but that file has to stay. */
  async #clearExceptOwn(path: string): Promise<void> {
    const below = `${this.#relative(path)}/`;
    const hasOwn = this.#own.values().some((each) => each.startsWith(below));
    return hasOwn ? this.#hideBelow(path) : this.#clear(path);
  }

  async #clear(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
    const here = this.#relative(path);
    this.#unpacked.files.delete(here);
    this.#unpacked.links.delete(here);
    this.#unpacked.folderModes.delete(here);
  }

  #relative(path: string): string {
    return relative(this.#root, path).replaceAll('\\', '/');
  }
}

function checkTarget(header: Header): string {
  const target = header.linkname ?? '';
  if (target === '' || target.includes('\0')) throw unsafe(header.name, 'it is a link to nothing');
  return target;
}

async function drain(content: Readable): Promise<void> {
  if (content.readableEnded || content.destroyed) return;
  for await (const _ of content);
}
