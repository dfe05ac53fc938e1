import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { type Clock, systemClock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { digestOf, hexOf, Meter } from './digest.ts';
import { maySync, moveDurably, orMissing } from './durable-file.ts';
import type { Descriptor } from './manifest.ts';
import { parseReference, type Reference, storedRepository } from './reference.ts';
import { Repositories } from './repositories.ts';
import { Uploads } from './uploads.ts';

export interface Expected {
  expectedDigest?: string;
  expectedSize?: number;
  /** An upper bound in bytes where the size isn't known. */
  bytesMax?: number;
}

export interface Stored {
  digest: string;
  size: number;
}

const smallBlobBytesMax = 16 * 1024 * 1024;

/**
 * Content-addressed blobs in a folder (`blobs/sha256/<hex>`, as in an OCI image layout), with repositories of tags
 * and resumable uploads beside them. Every change is one atomic rename, so several processes may share a folder.
 */
export class ContentStore {
  readonly folder: string;
  readonly clock: Clock;
  readonly repositories: Repositories;
  readonly uploads: Uploads;

  private constructor(folder: string, clock: Clock) {
    this.folder = folder;
    this.clock = clock;
    this.repositories = new Repositories({ folder: join(folder, 'repositories'), temporary: this.temporary });
    this.uploads = new Uploads({ folder: join(folder, 'uploads'), clock, adopt: this.adopt.bind(this) });
  }

  static async open(folder: string, options: { clock?: Clock } = {}): Promise<ContentStore> {
    for (const part of ['blobs/sha256', 'repositories', 'uploads', 'partial', 'tmp']) {
      await mkdir(join(folder, part), { recursive: true });
    }
    return new ContentStore(folder, options.clock ?? systemClock);
  }

  /** A folder on the same file system, for files that will be renamed into the store. */
  get temporary(): string {
    return join(this.folder, 'tmp');
  }

  /** Where a blob is or would be; blobs are never changed in place. */
  path(digest: string): string {
    return join(this.folder, 'blobs', 'sha256', hexOf(digest));
  }

  /** Stores content while hashing it; a wrong digest or size is `Invalid` and leaves nothing behind. */
  async put(content: AsyncIterable<Uint8Array> | Uint8Array, expected: Expected = {}): Promise<Stored> {
    if (content instanceof Uint8Array) {
      const stored = { digest: digestOf(content), size: content.length };
      check(stored, expected);
      if (await this.touch(stored.digest)) return stored;
    }
    const temp = join(this.temporary, `${process.pid}-${randomUUID()}`);
    try {
      const source = content instanceof Uint8Array ? [content] : content;
      const meter = new Meter({ bytesMax: expected.expectedSize ?? expected.bytesMax, what: 'blob' });
      await pipeline(Readable.from(source), meter, createWriteStream(temp, { flags: 'wx', flush: maySync }));
      const stored = { digest: meter.digest(), size: meter.bytes };
      check(stored, expected);
      await moveDurably(temp, this.path(stored.digest));
      return stored;
    } finally {
      await rm(temp, { force: true });
    }
  }

  /** Takes over a finished file of the same file system; on `Invalid` the file stays where it was. */
  async adopt(file: string, expected: Expected & { expectedDigest: string }): Promise<Stored> {
    const meter = new Meter();
    for await (const _ of createReadStream(file).pipe(meter));
    const stored = { digest: meter.digest(), size: meter.bytes };
    check(stored, expected);
    const handle = await open(file, 'r+');
    try {
      if (maySync) await handle.sync();
    } finally {
      await handle.close();
    }
    await moveDurably(file, this.path(stored.digest));
    return stored;
  }

  /**
   * Streams a blob, or its bytes from `start` to `end`, both inclusive; a missing one is `NotFound`.
   * The stream holds an open file: read it to its end, or destroy it.
   */
  async get(digest: string, range: { start?: number; end?: number } = {}): Promise<Readable> {
    const handle = await orMissing(open(this.path(digest), 'r'));
    if (!handle) throw missing(digest);
    return handle.createReadStream(range);
  }

  /** Reads a small blob (a manifest, a config) whole. */
  async read(digest: string, bytesMax: number = smallBlobBytesMax): Promise<Buffer> {
    const size = await this.stat(digest);
    if (size === undefined) throw missing(digest);
    if (size > bytesMax) {
      throw new StatusError('RequestEntityTooLarge', `blob ${digest} has ${size} bytes, at most ${bytesMax}`);
    }
    return readFile(this.path(digest));
  }

  async has(digest: string): Promise<boolean> {
    return (await this.stat(digest)) !== undefined;
  }

  /** A blob's size in bytes; undefined if there is none. */
  async stat(digest: string): Promise<number | undefined> {
    return (await orMissing(stat(this.path(digest))))?.size;
  }

  /** Tells the garbage collector that somebody is about to refer to this blob; false if there is none. */
  async touch(digest: string): Promise<boolean> {
    const now = this.clock.nowMs() / 1000;
    const touched = await orMissing(utimes(this.path(digest), now, now).then(() => true));
    return touched ?? false;
  }

  /** Removes a blob; false if there was none. */
  async delete(digest: string): Promise<boolean> {
    const removed = await orMissing(rm(this.path(digest)).then(() => true));
    return removed ?? false;
  }

  /** What a reference means in this store (its digest wins over its tag); undefined if it isn't here. */
  async resolve(reference: string | Reference): Promise<Descriptor | undefined> {
    const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
    const repository = storedRepository(parsed);
    if (parsed.digest) return this.repositories.manifest(repository, parsed.digest);
    return this.repositories.tag(repository, parsed.tag ?? 'latest');
  }

  /** Records a stored manifest under a reference's repository and, if it names one, tag. */
  async name(reference: string | Reference, manifest: Descriptor): Promise<void> {
    const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
    const repository = storedRepository(parsed);
    await this.repositories.linkManifest(repository, manifest);
    if (parsed.tag) await this.repositories.setTag(repository, parsed.tag, manifest);
  }
}

function check(stored: Stored, expected: Expected): void {
  if (expected.expectedSize !== undefined && expected.expectedSize !== stored.size) {
    throw new StatusError('Invalid', `content has ${stored.size} bytes, expected ${expected.expectedSize}`);
  }
  if (expected.expectedDigest !== undefined && expected.expectedDigest !== stored.digest) {
    throw new StatusError(
      'Invalid',
      `content has digest ${stored.digest}, expected ${expected.expectedDigest}`,
    );
  }
  if (expected.bytesMax !== undefined && stored.size > expected.bytesMax) {
    throw new StatusError('RequestEntityTooLarge', `blob is larger than ${expected.bytesMax} bytes`);
  }
}

function missing(digest: string): StatusError {
  return new StatusError('NotFound', `blob ${digest} is not in the store`);
}
