import type { Dirent } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { StatusError } from '../base/errors.ts';
import { hexOf } from './digest.ts';
import { orMissing, writeDurably } from './durable-file.ts';
import type { Descriptor } from './manifest.ts';
import { isRepository, isTag } from './reference.ts';

/**
 * Names for manifests: `<repository>/_tags/<tag>`, `_manifests/<hex>` and `_referrers/<subject hex>/<hex>`, each a
 * file that holds a descriptor. A part of a repository's name can't begin with `_`, so the two never meet.
 */
export class Repositories {
  readonly #folder: string;
  readonly #temporary: string;

  constructor(options: { folder: string; temporary: string }) {
    this.#folder = options.folder;
    this.#temporary = options.temporary;
  }

  /** Every repository that holds a manifest, sorted. */
  async list(): Promise<string[]> {
    const found: string[] = [];
    await this.#collect('', found);
    return found.sort();
  }

  async tags(repository: string): Promise<string[]> {
    return (await namesIn(this.#path(repository, '_tags'))).sort();
  }

  tag(repository: string, tag: string): Promise<Descriptor | undefined> {
    return readDescriptor(this.#tagPath(repository, tag));
  }

  async setTag(repository: string, tag: string, manifest: Descriptor): Promise<void> {
    await this.#write(this.#tagPath(repository, tag), manifest);
  }

  async removeTag(repository: string, tag: string): Promise<boolean> {
    return removeFile(this.#tagPath(repository, tag));
  }

  async manifests(repository: string): Promise<Descriptor[]> {
    return readDescriptors(this.#path(repository, '_manifests'));
  }

  manifest(repository: string, digest: string): Promise<Descriptor | undefined> {
    return readDescriptor(this.#path(repository, '_manifests', hexOf(digest)));
  }

  async linkManifest(repository: string, manifest: Descriptor): Promise<void> {
    await this.#write(this.#path(repository, '_manifests', hexOf(manifest.digest)), manifest);
  }

  /**
   * Removes a manifest from a repository, with the tags that point at it, and from the referrers of its `subject` if
   * it has one; false if it wasn't there.
   */
  async removeManifest(repository: string, digest: string, subject?: string): Promise<boolean> {
    for (const tag of await this.tags(repository)) {
      if ((await this.tag(repository, tag))?.digest === digest) await this.removeTag(repository, tag);
    }
    if (subject) await removeFile(this.#path(repository, '_referrers', hexOf(subject), hexOf(digest)));
    return removeFile(this.#path(repository, '_manifests', hexOf(digest)));
  }

  /** Manifests of this repository whose `subject` is `digest`. */
  async referrers(repository: string, digest: string): Promise<Descriptor[]> {
    return readDescriptors(this.#path(repository, '_referrers', hexOf(digest)));
  }

  async addReferrer(repository: string, subject: string, manifest: Descriptor): Promise<void> {
    await this.#write(this.#path(repository, '_referrers', hexOf(subject), hexOf(manifest.digest)), manifest);
  }

  async #collect(below: string, found: string[]): Promise<void> {
    const entries = await foldersIn(join(this.#folder, below));
    const names = entries.map((entry) => entry.name);
    if (names.includes('_manifests') && (await namesIn(join(this.#folder, below, '_manifests'))).length > 0) {
      found.push(below);
    }
    for (const name of names) {
      if (!name.startsWith('_')) await this.#collect(below ? `${below}/${name}` : name, found);
    }
  }

  #write(path: string, descriptor: Descriptor): Promise<void> {
    return writeDurably(path, `${JSON.stringify(descriptor)}\n`, this.#temporary);
  }

  #tagPath(repository: string, tag: string): string {
    if (!isTag(tag)) throw new StatusError('BadRequest', `invalid tag ${JSON.stringify(tag)}`);
    return this.#path(repository, '_tags', tag);
  }

  #path(repository: string, ...parts: string[]): string {
    if (!isRepository(repository)) {
      throw new StatusError('BadRequest', `invalid repository name ${JSON.stringify(repository)}`);
    }
    return join(this.#folder, ...repository.split('/'), ...parts);
  }
}

async function readDescriptor(path: string): Promise<Descriptor | undefined> {
  const text = await orMissing(readFile(path, 'utf8'));
  return text === undefined ? undefined : JSON.parse(text);
}

async function readDescriptors(folder: string): Promise<Descriptor[]> {
  const all = (await namesIn(folder)).sort().map((name) => readDescriptor(join(folder, name)));
  return (await Promise.all(all)).filter((descriptor) => descriptor !== undefined);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await orMissing(readdir(folder))) ?? [];
}

async function foldersIn(folder: string): Promise<Dirent[]> {
  const entries = (await orMissing(readdir(folder, { withFileTypes: true }))) ?? [];
  return entries.filter((entry) => entry.isDirectory());
}

async function removeFile(path: string): Promise<boolean> {
  return (await orMissing(rm(path).then(() => true))) ?? false;
}
