import { open } from 'node:fs/promises';

import { type Clock, systemClock } from '../base/clock.ts';
import { isStatus, StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { type Descriptor, decodeManifest, isIndex, manifestBytesMax, neededBy } from './manifest.ts';
import { blobsAtOnce, eachAtOnce, type TransferProgress } from './pull.ts';
import { formatReference, parseReference, type Reference } from './reference.ts';
import {
  attemptsMax,
  backOff,
  isPassing,
  RegistryClient,
  type RegistryEndpoint,
  type RegistryResponse,
  withRetries,
} from './registry-client.ts';

/** Bytes of a blob sent in one request, so that a break costs at most as many. */
export const chunkBytes: number = 8 * 1024 * 1024;
const chunkBytesMax = 64 * 1024 * 1024;

export interface PushOptions {
  reference: Reference | string;
  registry: RegistryEndpoint;
  from: ContentStore;
  /** What to push, if it has another name in the store. */
  source?: Descriptor;
  clock?: Clock;
  signal?: AbortSignal;
  onProgress?: (progress: TransferProgress) => void;
}

/** Sends an image or artifact, only the blobs that the registry lacks, and last the manifest under its tag. */
export async function push(options: PushOptions): Promise<{ descriptor: Descriptor; bytesSent: number }> {
  const { from, registry: endpoint } = options;
  const reference =
    typeof options.reference === 'string' ? parseReference(options.reference) : options.reference;
  const clock = options.clock ?? systemClock;
  const descriptor = options.source ?? (await from.resolve(reference));
  if (!descriptor) {
    const message = `image ${formatReference(reference)} is not in the local store; build or pull it first`;
    throw new StatusError('NotFound', message);
  }
  const client = new RegistryClient({
    endpoint,
    repository: reference.repository,
    access: 'pull,push',
    clock,
  });
  const target = new Target({ ...options, clock }, client);
  await target.manifest(descriptor, reference.tag ?? descriptor.digest);
  return { descriptor, bytesSent: target.bytesSent };
}

class Target {
  readonly #options: PushOptions & { clock: Clock };
  readonly #client: RegistryClient;
  #bytesTotal = 0;
  bytesSent = 0;

  constructor(options: PushOptions & { clock: Clock }, client: RegistryClient) {
    this.#options = options;
    this.#client = client;
  }

  /** What a manifest needs goes first: a registry refuses one whose content it lacks. */
  async manifest(descriptor: Descriptor, tagOrDigest: string): Promise<void> {
    const bytes = await this.#options.from.read(descriptor.digest, manifestBytesMax);
    const content = decodeManifest(bytes, descriptor.mediaType);
    if (isIndex(content)) for (const child of content.manifests) await this.manifest(child, child.digest);
    else await this.#blobs(neededBy(content));
    await this.#send({
      method: 'PUT',
      url: this.#client.path(`manifests/${tagOrDigest}`),
      headers: { 'Content-Type': descriptor.mediaType },
      body: Uint8Array.from(bytes),
    });
  }

  async #blobs(blobs: Descriptor[]): Promise<void> {
    const lacking: Descriptor[] = [];
    for (const blob of new Map(blobs.map((each) => [each.digest, each])).values()) {
      if (!(await this.#has(blob))) lacking.push(blob);
    }
    this.#bytesTotal += lacking.reduce((sum, blob) => sum + blob.size, 0);
    await eachAtOnce(lacking, blobsAtOnce, (blob) => this.#blob(blob));
  }

  async #has(blob: Descriptor): Promise<boolean> {
    try {
      await this.#send({ method: 'HEAD', url: this.#client.path(`blobs/${blob.digest}`) });
      return true;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }

  async #blob(blob: Descriptor): Promise<void> {
    const path = this.#options.from.path(blob.digest);
    const handle = await open(path, 'r');
    try {
      await new Upload(this.#client, this.#options, blob, handle, (count) => this.#progress(count)).run();
    } finally {
      await handle.close();
    }
  }

  #progress(count: number): void {
    this.bytesSent += count;
    this.#options.onProgress?.({ bytes: this.bytesSent, bytesTotal: this.#bytesTotal });
  }

  #send(request: Parameters<RegistryClient['request']>[0]): Promise<RegistryResponse> {
    const { clock, signal } = this.#options;
    return withRetries(clock, () => this.#client.request({ ...request, ...(signal && { signal }) }), signal);
  }
}

/** One blob on its way: chunks to where the registry says, going on after a break from where it says it is. */
class Upload {
  readonly #client: RegistryClient;
  readonly #options: PushOptions & { clock: Clock };
  readonly #blob: Descriptor;
  readonly #handle: Awaited<ReturnType<typeof open>>;
  readonly #onBytes: (count: number) => void;
  #location = '';
  #chunkBytes = chunkBytes;
  #offset = 0;

  constructor(
    client: RegistryClient,
    options: PushOptions & { clock: Clock },
    blob: Descriptor,
    handle: Awaited<ReturnType<typeof open>>,
    onBytes: (count: number) => void,
  ) {
    this.#client = client;
    this.#options = options;
    this.#blob = blob;
    this.#handle = handle;
    this.#onBytes = onBytes;
  }

  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    for (let failures = 0; ; ) {
      const before = this.#offset;
      try {
        if (this.#location === '') await this.#start();
        else if (failures > 0) await this.#locate();
        return await this.#rest();
      } catch (error) {
        // An upload that the registry no longer knows is begun again.
        const isLost = isStatus(error, 'NotFound') && this.#location !== '';
        if (isLost) this.#location = '';
        failures = this.#offset > before && !isLost ? 1 : failures + 1;
        if (failures >= attemptsMax || !(isPassing(error) || isLost)) throw error;
        await backOff(clock, failures, error, signal);
      }
    }
  }

  async #start(): Promise<void> {
    const response = await this.#send('POST', this.#client.path('blobs/uploads/'));
    const minimum = Number(response.headers.get('oci-chunk-min-length') ?? 0);
    this.#chunkBytes = Math.min(Math.max(chunkBytes, minimum || 0), chunkBytesMax);
    this.#moveTo(0);
  }

  async #locate(): Promise<void> {
    const response = await this.#send('GET', this.#location);
    const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1] ?? 0);
    // `0-0` means none or one byte; a chunk is never one byte unless it is the last.
    this.#moveTo(last === 0 ? 0 : last + 1);
  }

  async #rest(): Promise<void> {
    // All but the last chunk by PATCH; the last one goes with the PUT that ends the upload.
    while (this.#blob.size - this.#offset > this.#chunkBytes) {
      const body = await this.#read(this.#chunkBytes);
      await this.#send('PATCH', this.#location, body);
      this.#moveTo(this.#offset + body.length);
    }
    const body = await this.#read(this.#blob.size - this.#offset);
    const url = new URL(this.#location);
    url.searchParams.set('digest', this.#blob.digest);
    await this.#send('PUT', url.href, body);
    this.#moveTo(this.#blob.size);
  }

  async #send(method: string, url: string, body?: Uint8Array<ArrayBuffer>): Promise<RegistryResponse> {
    const { signal } = this.#options;
    const end = this.#offset + (body?.length ?? 0) - 1;
    const response = await this.#client.request({
      method,
      url,
      ...(body && {
        body,
        headers: {
          'Content-Type': 'application/octet-stream',
          ...(body.length > 0 &&
            this.#blob.size > this.#chunkBytes && { 'Content-Range': `${this.#offset}-${end}` }),
        },
      }),
      ...(signal && { signal }),
    });
    const location = response.headers.get('location');
    if (location && method !== 'PUT') this.#location = this.#client.resolve(location);
    return response;
  }

  async #read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, this.#offset);
    if (bytesRead === length) return bytes;
    throw new StatusError(
      'InternalError',
      `blob ${this.#blob.digest} in the store is shorter than its descriptor says`,
    );
  }

  #moveTo(offset: number): void {
    this.#onBytes(offset - this.#offset);
    this.#offset = offset;
  }
}
