import { type Clock, systemClock } from '../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { digestOf } from './digest.ts';
import { download } from './download.ts';
import { choosePlatform, hostPlatform } from './image.ts';
import {
  type Descriptor,
  decodeManifest,
  isIndex,
  manifestBytesMax,
  neededBy,
  type Platform,
} from './manifest.ts';
import { formatReference, parseReference, type Reference, storedRepository } from './reference.ts';
import { RegistryClient, type RegistryEndpoint, readBytes, withRetries } from './registry-client.ts';

/** Blobs on their way at a time, in one pull. */
export const blobsAtOnce = 3;

export interface TransferProgress {
  bytes: number;
  bytesTotal: number;
}

export interface PullOptions {
  reference: Reference | string;
  /** Where to ask; several are tried in order, for the manifest and for each blob. */
  registry: RegistryEndpoint | RegistryEndpoint[];
  into: ContentStore;
  /** Which image of an index to bring. */
  platform?: Platform;
  clock?: Clock;
  signal?: AbortSignal;
  onProgress?: (progress: TransferProgress) => void;
}

export interface Pulled {
  /** What the reference names: a manifest, or an index of several. */
  descriptor: Descriptor;
  /** The manifest that was pulled; of an index, the one for the platform. */
  manifest: Descriptor;
  /** The size of the blobs that were not in the store before. */
  bytesFetched: number;
}

/**
 * Brings an image or artifact into the store and names it there, fetching only blobs that it lacks. With a digest that
 * is already here, nothing is asked of any registry. Fails with `NotFound`, `Unauthorized`, `Forbidden`, or
 * `ServiceUnavailable` where no registry could be reached.
 */
export async function pull(options: PullOptions): Promise<Pulled> {
  const reference =
    typeof options.reference === 'string' ? parseReference(options.reference) : options.reference;
  const clock = options.clock ?? systemClock;
  const clients = [options.registry].flat().map((endpoint) => {
    return new RegistryClient({ endpoint, repository: reference.repository, access: 'pull', clock });
  });
  if (clients.length === 0) throw new StatusError('BadRequest', 'there is no registry to pull from');
  const source = new Source({ ...options, clock }, reference, clients);
  const descriptor = await source.manifest(reference.digest ?? reference.tag ?? 'latest');
  const { manifest, content } = await source.forPlatform(descriptor, options.platform ?? hostPlatform());
  const bytesFetched = await source.blobs(neededBy(content));
  await options.into.repositories.linkManifest(storedRepository(reference), manifest);
  await options.into.name(reference, descriptor);
  return { descriptor, manifest, bytesFetched };
}

class Source {
  readonly #options: PullOptions & { clock: Clock };
  readonly #reference: Reference;
  #clients: RegistryClient[];

  constructor(options: PullOptions & { clock: Clock }, reference: Reference, clients: RegistryClient[]) {
    this.#options = options;
    this.#reference = reference;
    this.#clients = clients;
  }

  async manifest(tagOrDigest: string): Promise<Descriptor> {
    const { into, clock, signal } = this.#options;
    if (tagOrDigest.startsWith('sha256:') && (await into.touch(tagOrDigest))) {
      const bytes = await into.read(tagOrDigest, manifestBytesMax);
      return { mediaType: decodeManifest(bytes).mediaType, digest: tagOrDigest, size: bytes.length };
    }
    const failures: unknown[] = [];
    for (const client of this.#clients) {
      try {
        const found = await withRetries(clock, () => this.#fetchManifest(client, tagOrDigest), signal);
        // Whoever has the manifest most likely has its blobs.
        this.#clients = [client, ...this.#clients.filter((other) => other !== client)];
        return found;
      } catch (error) {
        signal?.throwIfAborted();
        failures.push(error);
      }
    }
    throw this.#explain(failures);
  }

  async forPlatform(root: Descriptor, platform: Platform) {
    const content = decodeManifest(
      await this.#options.into.read(root.digest, manifestBytesMax),
      root.mediaType,
    );
    if (!isIndex(content)) return { manifest: root, content };
    const manifest = await this.manifest(choosePlatform(content.manifests, platform).digest);
    const chosen = decodeManifest(await this.#options.into.read(manifest.digest, manifestBytesMax));
    if (!isIndex(chosen)) return { manifest, content: chosen };
    throw new StatusError('Invalid', `${formatReference(this.#reference)} is an index of indexes`);
  }

  async blobs(blobs: Descriptor[]): Promise<number> {
    const { into, clock, signal, onProgress } = this.#options;
    const lacking: Descriptor[] = [];
    for (const blob of new Map(blobs.map((each) => [each.digest, each])).values()) {
      if (!(await into.touch(blob.digest))) lacking.push(blob);
    }
    const bytesTotal = lacking.reduce((sum, blob) => sum + blob.size, 0);
    let bytes = 0;
    const onBytes = (count: number) => {
      bytes += count;
      onProgress?.({ bytes, bytesTotal });
    };
    const stop = new AbortController();
    const common = { store: into, clients: this.#clients, clock, onBytes };
    const any = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    await eachAtOnce(lacking, blobsAtOnce, async (blob) => {
      await download({ ...common, blob, signal: any }).catch((error) => {
        stop.abort(error);
        throw error;
      });
    });
    return bytesTotal;
  }

  async #fetchManifest(client: RegistryClient, tagOrDigest: string): Promise<Descriptor> {
    const response = await client.manifest(tagOrDigest, this.#options.signal);
    const bytes = await readBytes(response, manifestBytesMax);
    const said = response.headers.get('docker-content-digest') ?? undefined;
    const expected = tagOrDigest.startsWith('sha256:') ? tagOrDigest : said;
    if (expected !== undefined && expected !== digestOf(bytes)) {
      const message = `registry ${client.endpoint.url} sent a manifest with digest ${digestOf(bytes)}, not ${expected}`;
      throw new StatusError('ServiceUnavailable', message);
    }
    const type = response.headers.get('content-type')?.split(';')[0]?.trim();
    const { mediaType } = decodeManifest(bytes, type === 'application/json' ? undefined : type);
    return { mediaType, ...(await this.#options.into.put(bytes)) };
  }

  /** Of several registries' failures, the one that tells most: no entry, then no connection, then not found. */
  #explain(failures: unknown[]): unknown {
    const name = formatReference(this.#reference);
    const order = [
      'Unauthorized',
      'Forbidden',
      'Invalid',
      'BadRequest',
      'ServiceUnavailable',
      'NotFound',
    ] as const;
    const reason = order.find((each) => failures.some((failure) => isStatus(failure, each)));
    const cause = failures.find((failure) => isStatus(failure, reason)) ?? failures[0];
    if (!reason) return cause;
    if (reason === 'NotFound' && !this.#reference.host) return notBuilt(name, cause);
    const what = reason === 'NotFound' ? `manifest unknown: ${name}` : `cannot pull ${name}`;
    return new StatusError(reason, `${what}: ${messageOf(cause)}`, { cause });
  }
}

/** A name without a registry is not Docker Hub's here, which people who know other engines expect. */
function notBuilt(name: string, cause: unknown): StatusError {
  const how = `build it (selvage build FOLDER -t ${name}) or push it there`;
  return new StatusError('NotFound', `manifest unknown: the cluster's registry has no ${name}: ${how}`, {
    cause,
  });
}

/** Runs `action` for each item, at most `count` at a time; waits for those under way even if one fails. */
export async function eachAtOnce<T>(
  items: T[],
  count: number,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failure: { error: unknown } | undefined;
  const work = async () => {
    for (const item of queue) {
      if (failure) return;
      await action(item).catch((error) => {
        failure ??= { error };
      });
    }
  };
  await Promise.all(Array.from({ length: count }, work));
  if (failure) throw failure.error;
}
