import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StatusError } from '../../base/errors.ts';

/** A larger model than this is not fetched, nor unpacked. */
export const modelBytesMax: number = 4 * 1024 ** 3;
/** A server that sends nothing for so long is given up. */
export const idleMsMax = 60_000;

/**
 * Fetches an `http(s)://` URL into `file`. A fragment `#sha256=<64 hexadecimal digits>` must be the digest of what comes.
 * Throws a StatusError that names the server's answer, the size or the digest that is wrong.
 */
export async function download(options: {
  uri: string;
  file: string;
  fetch: typeof globalThis.fetch;
  headers?: Record<string, string>;
  bytesMax?: number;
  idleMs?: number;
}): Promise<{ bytes: number; digest: string }> {
  const { uri, file, fetch, headers = {}, bytesMax = modelBytesMax, idleMs = idleMsMax } = options;
  const url = new URL(uri);
  const expected = /^#sha256=([0-9a-f]{64})$/.exec(url.hash)?.[1];
  url.hash = '';
  const idle = new AbortController();
  const giveUp = () => idle.abort(new StatusError('Timeout', `${url} sent nothing for ${idleMs / 1000} s`));
  const timer = setTimeout(giveUp, idleMs);
  try {
    const response = await fetch(url, { signal: idle.signal, headers });
    if (!response.ok || !response.body) {
      throw new StatusError('BadRequest', `${url} answered ${response.status} ${response.statusText}`.trim());
    }
    const hash = createHash('sha256');
    let bytes = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        timer.refresh();
        bytes += chunk.length;
        hash.update(chunk);
        const isTooLong = bytes > bytesMax;
        done(isTooLong ? tooLong(url, bytesMax) : null, chunk);
      },
    });
    // The web's and Node's types of the same stream differ.
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
    await pipeline(body, meter, createWriteStream(file), { signal: idle.signal });
    const digest = hash.digest('hex');
    if (expected !== undefined && digest !== expected)
      throw new StatusError('Invalid', `${url} has the SHA-256 ${digest}, but storageUri says ${expected}`);
    return { bytes, digest };
  } catch (error) {
    throw idle.signal.aborted ? idle.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

function tooLong(url: URL, bytesMax: number): StatusError {
  return new StatusError('RequestEntityTooLarge', `${url} has more than ${bytesMax} bytes`);
}
