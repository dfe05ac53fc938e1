import { open } from 'node:fs/promises';

import type { Clock } from '../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import type { Descriptor } from './manifest.ts';
import { PartialBlob } from './partial-blob.ts';
import {
  attemptsMax,
  backOff,
  type RegistryClient,
  type RegistryResponse,
  stallMs,
} from './registry-client.ts';

/** A failed attempt that brought at least this much is no failure in a row: the link is weak, not dead. */
export const progressBytesMin: number = 64 * 1024;

export interface Download {
  store: ContentStore;
  /** Asked in turn; the next one after each failure. */
  clients: RegistryClient[];
  blob: Descriptor;
  clock: Clock;
  signal?: AbortSignal;
  /** Called with the bytes that came, negative when some proved useless. */
  onBytes?: (count: number) => void;
}

const inFlight = new Map<string, Promise<void>>();

/** Brings one blob into the store if it isn't there, going on from what an earlier attempt left of it. */
export async function download(options: Download): Promise<void> {
  const path = options.store.path(options.blob.digest);
  // A queue for each blob: whoever comes second most likely finds it done.
  const before = inFlight.get(path) ?? Promise.resolve();
  const own = before.catch(() => {}).then(() => fetchIfMissing(options));
  inFlight.set(path, own);
  try {
    await own;
  } finally {
    if (inFlight.get(path) === own) inFlight.delete(path);
  }
}

async function fetchIfMissing(options: Download): Promise<void> {
  options.signal?.throwIfAborted();
  if (await options.store.touch(options.blob.digest)) options.onBytes?.(options.blob.size);
  else await fetchAll(options);
}

async function fetchAll(options: Download): Promise<void> {
  const { store, clients, blob, clock, signal, onBytes } = options;
  const partial = await PartialBlob.claim(store, blob.digest);
  try {
    let size = await partial.size();
    onBytes?.(size);
    let failures = 0;
    for (let attempt = 0; ; attempt++) {
      try {
        return await fetchRest(options, clients[attempt % clients.length]!, partial);
      } catch (error) {
        signal?.throwIfAborted();
        const before = size;
        if (isStatus(error, 'Invalid')) {
          onBytes?.(-(await partial.size()));
          await partial.clear();
        }
        size = await partial.size();
        failures = size - before >= progressBytesMin ? 1 : failures + 1;
        if (failures >= attemptsMax || (isFinal(error) && failures >= clients.length))
          throw explain(blob, error);
        await backOff(clock, failures, error, signal);
      }
    }
  } finally {
    await partial.release();
  }
}

async function fetchRest(options: Download, client: RegistryClient, partial: PartialBlob): Promise<void> {
  const { store, blob, onBytes } = options;
  let offset = await partial.size();
  if (offset < blob.size) {
    const response = await ask(options, client, offset);
    if (response.status !== 206 && offset > 0) {
      // This registry knows no ranges: it sends everything again.
      onBytes?.(-offset);
      await partial.clear();
      offset = 0;
    }
    await append(options, response, partial, offset);
  }
  await store.adopt(partial.path, { expectedDigest: blob.digest, expectedSize: blob.size });
}

async function ask(
  { blob, signal }: Download,
  client: RegistryClient,
  offset: number,
): Promise<RegistryResponse> {
  const response = await client.request({
    method: 'GET',
    url: client.path(`blobs/${blob.digest}`),
    headers: { 'Accept-Encoding': 'identity', ...(offset > 0 && { Range: `bytes=${offset}-` }) },
    ...(signal && { signal }),
  });
  const range = response.headers.get('content-range');
  if (response.status === 206 && !range?.startsWith(`bytes ${offset}-`)) {
    await response.body?.cancel();
    throw new StatusError('Invalid', `asked for bytes from ${offset}, got ${range}`);
  }
  return response;
}

/** Writes each chunk before the next is read: a break loses nothing that came, however little that was. */
async function append(
  options: Download,
  response: RegistryResponse,
  partial: PartialBlob,
  offset: number,
): Promise<void> {
  const { blob, signal, onBytes } = options;
  const reader = response.body?.getReader();
  const watch = new Watch(options.clock, signal, (reason) => void reader?.cancel(reason).catch(() => {}));
  const file = await open(partial.path, 'a');
  let room = blob.size - offset;
  try {
    for (let next = await read(reader); next; next = await read(reader)) {
      watch.reset();
      room -= next.length;
      if (room < 0) throw new StatusError('Invalid', `more than the expected ${blob.size} bytes came`);
      await file.appendFile(next);
      onBytes?.(next.length);
    }
    if (room > 0) throw new StatusError('ServiceUnavailable', watch.reason ?? `it ended ${room} bytes early`);
  } finally {
    watch.end();
    await file.close();
    await reader?.cancel().catch(() => {});
  }
}

async function read(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
): Promise<Uint8Array | undefined> {
  try {
    return (await reader?.read())?.value;
  } catch (error) {
    const why = messageOf((error as Error).cause ?? error);
    throw new StatusError('ServiceUnavailable', why, { cause: error });
  }
}

/** Stops a transfer when it stalls or is no longer wanted, whether or not the caller's `fetch` heeds signals. */
class Watch {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #stop: (reason: string) => void;
  #cancel: () => void;
  reason: string | undefined;

  constructor(clock: Clock, signal: AbortSignal | undefined, stop: (reason: string) => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#stop = stop;
    this.#cancel = this.#start();
    signal?.addEventListener('abort', this.#aborted);
  }

  reset(): void {
    this.#cancel();
    this.#cancel = this.#start();
  }

  end(): void {
    this.#cancel();
    this.#signal?.removeEventListener('abort', this.#aborted);
  }

  #aborted = () => this.#end('it was given up');

  #start(): () => void {
    return this.#clock.after(stallMs, () => this.#end(`nothing came for ${stallMs / 1000} s`));
  }

  #end(reason: string): void {
    this.reason = reason;
    this.#stop(reason);
  }
}

/** Whether the same registry would say the same again. */
function isFinal(error: unknown): boolean {
  return !isStatus(error) || ['NotFound', 'Unauthorized', 'Forbidden', 'BadRequest'].includes(error.reason);
}

function explain(blob: Descriptor, error: unknown): unknown {
  if (!isStatus(error)) return error;
  return new StatusError(error.reason, `cannot download blob ${blob.digest}: ${error.message}`, {
    cause: error,
  });
}
