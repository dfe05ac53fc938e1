import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';

/** The official archive and its checksum, from https://www.cs.toronto.edu/~kriz/cifar.html */
export const officialArchive = {
  url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
  md5: 'c32a1d4ab5d03f1284b67883e8d87530',
};

/** A server that has not answered by then is taken to be out of reach. */
const connectTimeoutMs = 5000;
/** A download that stands still this long is taken up again. */
const stallTimeoutMs = 15_000;
/** Interruptions after which the download is given up; what came so far is kept. */
const attemptsMax = 5;
/** Larger than any file in the archive (30.7 MB); a bound on what a wrong archive can unpack. */
const entryBytesMax = 64 * 1024 * 1024;

export interface DownloadOptions {
  /** The folder that gets the archive's files. */
  cacheDir: string;
  url?: string;
  md5?: string;
  connectTimeoutMs?: number;
  stallTimeoutMs?: number;
  onProgress?: (progress: { receivedBytes: number; totalBytes: number | undefined }) => void;
  signal?: AbortSignal;
}

/** Downloads the CIFAR-10 archive, checks it and unpacks it into `cacheDir`, which appears whole or not at all. An
 * interrupted download goes on where it stopped, also in a later call.
 * @throws Error where the network or the checksum fails. */
export async function downloadCifar10(options: DownloadOptions): Promise<void> {
  const { cacheDir, url = officialArchive.url, md5 = officialArchive.md5 } = options;
  await mkdir(dirname(cacheDir), { recursive: true });
  const archive = `${cacheDir}.tar.gz.part`;
  await fetchArchive(archive, url, options);
  const sum = await md5Of(archive);
  if (sum !== md5) {
    await rm(archive, { force: true });
    throw new Error(
      `${url} came with MD5 ${sum}, expected ${md5}: it was damaged on the way or is another file. ` +
        'It was deleted; try again, or fetch it by hand and give its folder.',
    );
  }
  const unpacked = `${cacheDir}.unpacking`;
  await rm(unpacked, { recursive: true, force: true });
  await unpack(archive, unpacked).catch(async (error) => {
    await rm(unpacked, { recursive: true, force: true });
    throw error;
  });
  await rm(cacheDir, { recursive: true, force: true });
  await rename(unpacked, cacheDir);
  await rm(archive, { force: true });
}

/** Fetches until the whole file is there, resuming after each interruption. */
async function fetchArchive(path: string, url: string, options: DownloadOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await fetchRest(path, url, options);
      return;
    } catch (cause) {
      const isHopeless = cause instanceof Unreachable || options.signal?.aborted;
      if (!isHopeless && attempt < attemptsMax) continue;
      const received = await sizeOf(path);
      throw new Error(
        `Cannot download ${url}: ${(cause as Error).message}. ` +
          (received > 0 ? `${received} bytes are kept, the next try goes on from there. ` : '') +
          'Without this network, give a folder that has the data set.',
        { cause },
      );
    }
  }
}

/** A server was there, but the connection broke before it answered. */
const brokenConnection = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** No answer, or one that trying again does not change. */
class Unreachable extends Error {}

async function fetchRest(path: string, url: string, options: DownloadOptions): Promise<void> {
  const received = await sizeOf(path);
  const watch = watchdog(options);
  try {
    const response = await request(url, received, watch, options.connectTimeoutMs ?? connectTimeoutMs);
    // 416: nothing is missing. 200 to a range request: the server starts over.
    if (response.status === 416) return;
    const start = response.status === 206 ? received : 0;
    const length = response.headers.get('content-length');
    const totalBytes = length === null ? undefined : start + Number(length);
    let receivedBytes = start;
    await using file = await open(path, start > 0 ? 'a' : 'w');
    for await (const chunk of response.body ?? []) {
      // Written before the next is awaited: an interruption loses nothing that came.
      await file.appendFile(chunk);
      receivedBytes += chunk.length;
      watch.expect(options.stallTimeoutMs ?? stallTimeoutMs, 'the download stands still');
      options.onProgress?.({ receivedBytes, totalBytes });
    }
    if (totalBytes !== undefined && receivedBytes < totalBytes) {
      throw new Error(`the connection ended after ${receivedBytes} of ${totalBytes} bytes`);
    }
  } finally {
    watch.stop();
  }
}

async function request(url: string, received: number, watch: Watchdog, timeoutMs: number): Promise<Response> {
  watch.expect(timeoutMs, `no answer within ${timeoutMs} ms`);
  // Ranges and the length count the file's own bytes, not those of a compressed transfer.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (received > 0) headers.range = `bytes=${received}-`;
  let response: Response;
  try {
    response = await fetch(url, { headers, signal: watch.signal });
  } catch (cause) {
    const reason = watch.signal.aborted ? watch.signal.reason : ((cause as Error).cause ?? cause);
    const isBroken = brokenConnection.has((reason as NodeJS.ErrnoException).code ?? '');
    const Kind = isBroken ? Error : Unreachable;
    throw new Kind((reason as Error).message || String(reason), { cause });
  }
  if (response.ok || response.status === 416) return response;
  throw new Unreachable(`the server answered ${response.status} ${response.statusText}`);
}

interface Watchdog {
  signal: AbortSignal;
  /** Aborts unless called again, or stopped, within the time. */
  expect(timeoutMs: number, otherwise: string): void;
  stop(): void;
}

function watchdog({ signal }: { signal?: AbortSignal }): Watchdog {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  return {
    signal: signal ? AbortSignal.any([abort.signal, signal]) : abort.signal,
    expect(timeoutMs, otherwise) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(new Error(otherwise)), timeoutMs);
    },
    stop: () => clearTimeout(timer),
  };
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Unpacks the archive's plain files into one folder, whatever folder they were in. */
async function unpack(archive: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  const extract = tar.extract();
  const source = pipeline(createReadStream(archive), createGunzip(), extract);
  const entries = (async () => {
    for await (const entry of extract) {
      const { name, type, size = 0 } = entry.header;
      if (type !== 'file') {
        entry.resume();
        continue;
      }
      if (size > entryBytesMax)
        throw new Error(`${archive} holds ${name} of ${size} bytes, more than ${entryBytesMax}`);
      await pipeline(entry, createWriteStream(join(into, basename(name))));
    }
  })();
  await Promise.all([source, entries]);
}
