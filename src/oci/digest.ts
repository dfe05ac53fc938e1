import { createHash, type Hash } from 'node:crypto';
import { Transform } from 'node:stream';

import { StatusError } from '../base/errors.ts';

const form = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: string): boolean => form.test(text);

/** The 64 hexadecimal digits of a `sha256:…` digest; anything else is a `BadRequest`. */
export function hexOf(digest: string): string {
  if (!isDigest(digest)) {
    throw new StatusError(
      'BadRequest',
      `invalid digest ${JSON.stringify(digest)}: expected "sha256:" and 64 lower-case hexadecimal digits`,
    );
  }
  return digest.slice('sha256:'.length);
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Passes bytes through while hashing and counting them; more than `bytesMax` ends it with an error. */
export class Meter extends Transform {
  #hash: Hash = createHash('sha256');
  readonly #bytesMax: number;
  readonly #what: string;
  bytes = 0;

  constructor(options: { bytesMax?: number; what?: string } = {}) {
    super();
    this.#bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
    this.#what = options.what ?? 'content';
  }

  /** The digest of what has passed; call it once, at the end. */
  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: Error | null, chunk?: Buffer) => void) {
    this.bytes += chunk.length;
    if (this.bytes > this.#bytesMax) {
      return done(
        new StatusError('RequestEntityTooLarge', `${this.#what} is larger than ${this.#bytesMax} bytes`),
      );
    }
    this.#hash.update(chunk);
    done(null, chunk);
  }
}
