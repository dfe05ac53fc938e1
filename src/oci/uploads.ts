import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { Clock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import type { Expected, Stored } from './content-store.ts';
import { Meter } from './digest.ts';
import { orMissing } from './durable-file.ts';

/** Unfinished uploads in one store; a further one is refused until some end or expire. */
export const uploadsMax = 1000;
/** An upload that got no byte for this long is dropped. */
export const uploadExpiryMs: number = 24 * 60 * 60 * 1000;

const idForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Resumable uploads: `<id>/data` holds what has come so far and survives restarts; its length is the offset. */
export class Uploads {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #adopt: (file: string, expected: Expected & { expectedDigest: string }) => Promise<Stored>;
  readonly #busy = new Set<string>();

  constructor(options: {
    folder: string;
    clock: Clock;
    adopt: (file: string, expected: Expected & { expectedDigest: string }) => Promise<Stored>;
  }) {
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#adopt = options.adopt;
  }

  async create(repository: string): Promise<string> {
    let open = await readdir(this.#folder);
    if (open.length >= uploadsMax) {
      await this.expire();
      open = await readdir(this.#folder);
    }
    if (open.length >= uploadsMax) {
      throw new StatusError(
        'TooManyRequests',
        `there are already ${uploadsMax} unfinished uploads; retry later`,
      );
    }
    const id = randomUUID();
    await mkdir(join(this.#folder, id));
    await writeFile(join(this.#folder, id, 'repository'), repository);
    await writeFile(this.#data(id), '');
    return id;
  }

  /** How many bytes have come; undefined if there is no such upload in that repository. */
  async offset(repository: string, id: string): Promise<number | undefined> {
    if (!idForm.test(id)) return undefined;
    const owner = await orMissing(readFile(join(this.#folder, id, 'repository'), 'utf8'));
    if (owner !== repository) return undefined;
    return (await orMissing(stat(this.#data(id))))?.size;
  }

  /** Appends and gives the new offset. What came before a broken connection is kept, for the client to resume. */
  async append(
    id: string,
    content: AsyncIterable<Uint8Array>,
    options: { offset: number; bytesMax: number },
  ): Promise<number> {
    return this.#alone(id, async () => {
      const meter = new Meter({ bytesMax: options.bytesMax - options.offset, what: 'blob' });
      await pipeline(Readable.from(content), meter, createWriteStream(this.#data(id), { flags: 'a' }));
      return options.offset + meter.bytes;
    });
  }

  /** Makes the upload a blob; a wrong digest is `Invalid`, and the upload is dropped. */
  async commit(id: string, expectedDigest: string): Promise<Stored> {
    return this.#alone(id, async () => {
      try {
        return await this.#adopt(this.#data(id), { expectedDigest });
      } finally {
        await this.cancel(id);
      }
    });
  }

  async cancel(id: string): Promise<void> {
    await rm(join(this.#folder, id), { recursive: true, force: true });
  }

  /** Drops uploads that got nothing for `uploadExpiryMs`, and gives how many. */
  async expire(): Promise<number> {
    let dropped = 0;
    for (const id of await readdir(this.#folder)) {
      // One that is just being made has a folder before it has data.
      const status =
        (await orMissing(stat(this.#data(id)))) ?? (await orMissing(stat(join(this.#folder, id))));
      const idleMs = this.#clock.nowMs() - (status?.mtimeMs ?? 0);
      if (idleMs < uploadExpiryMs || this.#busy.has(id)) continue;
      await this.cancel(id);
      dropped++;
    }
    return dropped;
  }

  async #alone<T>(id: string, action: () => Promise<T>): Promise<T> {
    if (this.#busy.has(id)) {
      throw new StatusError('Conflict', `upload ${id} is being written by another request`);
    }
    this.#busy.add(id);
    try {
      return await action();
    } finally {
      this.#busy.delete(id);
    }
  }

  #data(id: string): string {
    return join(this.#folder, id, 'data');
  }
}
