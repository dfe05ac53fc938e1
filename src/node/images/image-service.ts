import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { isStatus, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ContentStore } from '../../oci/content-store.ts';
import { hexOf } from '../../oci/digest.ts';
import { type Image, isIsolate, isolateEntry, readImage } from '../../oci/image.ts';
import { formatReference, parseReference, type Reference, storedRepository } from '../../oci/reference.ts';
import type { RegistryEndpoint } from '../../oci/registry-client.ts';
import type { Images, PulledImage } from '../pods/container-start.ts';
import type { NodeState } from '../state.ts';
import { artifactFolder, isArtifact } from './artifact-folder.ts';
import { builtinImage, isBuiltin } from './builtin-images.ts';
import { ImageError } from './image-error.ts';

/** Above this, images that no pod uses are removed, the one unused for longest first. */
export const imagesBytesMax: number = 4 * 1024 ** 3;

/** A container that is just being started uses its image, though its record doesn't say so yet. */
const keepUsedMs = 60_000;

export interface ImageServiceOptions {
  /** `<node data>/images`: the content store, and what is unpacked from it. */
  folder: string;
  /** The cluster's own registry, which names without a host mean. */
  registry: RegistryEndpoint;
  state: NodeState;
  clock: Clock;
  log: Log;
  /** Image ids (`name@digest`) that pods use now. */
  inUse: () => Set<string>;
  /** Ends pulls that are under way; what they have fetched is taken up by the next. */
  signal?: AbortSignal;
  bytesMax?: number;
}

/** The images of a node: each is pulled once however many pods ask, unpacked once, and removed when unused. */
export class ImageService implements Images {
  readonly #options: ImageServiceOptions;
  readonly #pulls = new Map<string, Promise<void>>();
  #store: Promise<ContentStore> | undefined;
  #collecting: Promise<void> = Promise.resolve();

  constructor(options: ImageServiceOptions) {
    this.#options = options;
  }

  async runnable(name: string, policy: string | undefined, onPull: () => void): Promise<PulledImage> {
    if (isBuiltin(name)) return builtinImage(name);
    const { reference, image, pulledInMs } = await this.#get(name, policy, onPull);
    if (!isIsolate(image.config)) {
      const message = `image "${name}" is a Linux container image; this node runs isolates only (see \`selvage build\`)`;
      throw new ImageError('ImageInspectError', message);
    }
    const rootDir = await this.#unpack(image);
    const { Env = [], WorkingDir = '/', Cmd = [] } = image.config.config ?? {};
    return {
      id: idOf(reference, image),
      rootDir,
      entry: isolateEntry(image.config),
      args: Cmd,
      env: Env,
      workingDir: join(rootDir, WorkingDir),
      sizeBytes: sizeOf(image),
      ...(pulledInMs !== undefined && { pulledInMs }),
    };
  }

  async folder(name: string, policy: string | undefined): Promise<string> {
    const { image } = await this.#get(name, policy, () => {});
    if (!isArtifact(image.manifest)) return this.#unpack(image);
    return artifactFolder(await this.#open(), image, this.#options.folder);
  }

  /** Resolves when the collection that the last pull began is over. */
  collected(): Promise<void> {
    return this.#collecting;
  }

  async #get(name: string, policy: string | undefined, onPull: () => void) {
    const { clock, state } = this.#options;
    const reference = parse(name);
    const store = await this.#open();
    const isPresent = await this.#isPresent(reference);
    const needsPull = (policy ?? defaultPolicy(reference)) === 'Always' || !isPresent;
    if (!isPresent && policy === 'Never') {
      const message = `Container image "${name}" is not present with pull policy of Never`;
      throw new ImageError('ErrImageNeverPull', message);
    }
    const startMs = clock.nowMs();
    if (needsPull) {
      onPull();
      await this.#pullOnce(name, reference, isPresent);
    }
    const image = await readImage(store, reference);
    state.saveImage({ reference: name, digest: image.descriptor.digest, usedAtMs: clock.nowMs() });
    return { reference, image, ...(needsPull && { pulledInMs: clock.nowMs() - startMs }) };
  }

  /** Everything that the image consists of is here, not only its name. */
  async #isPresent(reference: Reference): Promise<boolean> {
    const store = await this.#open();
    try {
      const { manifest } = await readImage(store, reference);
      for (const { digest } of [manifest.config, ...manifest.layers]) {
        if (!(await store.has(digest))) return false;
      }
      return true;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }

  #pullOnce(name: string, reference: Reference, isPresent: boolean): Promise<void> {
    let pulling = this.#pulls.get(name);
    if (!pulling) {
      pulling = this.#pull(name, reference, isPresent).finally(() => this.#pulls.delete(name));
      this.#pulls.set(name, pulling);
    }
    return pulling;
  }

  async #pull(name: string, reference: Reference, isPresent: boolean): Promise<void> {
    const { clock, log, signal } = this.#options;
    const { pull } = await import('../../oci/pull.ts');
    const into = await this.#open();
    try {
      await pull({ reference, registry: this.#endpoint(reference), into, clock, ...(signal && { signal }) });
      // One at a time, and nobody waits for it.
      this.#collecting = this.#collecting
        .then(() => this.#collect(name))
        .catch((error: unknown) => log.warn('images not collected', { error: messageOf(error) }));
    } catch (error) {
      // `Always` means the newest that can be had; without a link that is the one we have.
      if (isPresent && isStatus(error, 'ServiceUnavailable')) {
        log.info('registry unreachable; using the image that is here', { image: name });
        return;
      }
      throw new ImageError('ErrImagePull', messageOf(error), { cause: error });
    }
  }

  #endpoint({ host }: Reference): RegistryEndpoint {
    if (host === undefined) return this.#options.registry;
    return { url: `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}` };
  }

  async #unpack(image: Image): Promise<string> {
    const { unpackImage } = await import('../../oci/unpack.ts');
    return unpackImage(await this.#open(), image, { use: 'isolate', folder: this.#options.folder });
  }

  #open(): Promise<ContentStore> {
    this.#store ??= this.#openOnce();
    return this.#store;
  }

  async #openOnce(): Promise<ContentStore> {
    const { folder, clock } = this.#options;
    const { ContentStore } = await import('../../oci/content-store.ts');
    const { dropStaging } = await import('../../oci/unpack.ts');
    // Nobody else unpacks here, so what there is was left by an agent that was killed.
    await dropStaging(folder);
    return ContentStore.open(folder, { clock });
  }

  /** Removes what was unused for longest until the rest is within bounds. */
  async #collect(justPulled: string): Promise<void> {
    const { state, inUse, bytesMax = imagesBytesMax, folder, log, clock } = this.#options;
    const store = await this.#open();
    const uses = state.images().sort((a, b) => b.usedAtMs - a.usedAtMs);
    const sizes = await Promise.all(
      uses.map(async ({ reference }) => readImage(store, reference).then(sizeOf, () => 0)),
    );
    let bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes <= bytesMax) return;
    const used = new Set([...inUse()].map((id) => id.slice(id.indexOf('@') + 1)));
    for (let at = uses.length - 1; at >= 0 && bytes > bytesMax; at--) {
      const { reference, digest, usedAtMs } = uses[at]!;
      const isFresh = clock.nowMs() - usedAtMs < keepUsedMs;
      if (reference === justPulled || isFresh || used.has(digest)) continue;
      const parsed = parse(reference);
      // Of an image for several platforms, the name leads to their index.
      const root = await store.resolve(parsed);
      for (const each of new Set([digest, root?.digest ?? digest])) {
        await store.repositories.removeManifest(storedRepository(parsed), each);
      }
      for (const part of ['unpacked', 'artifacts']) {
        await rm(join(folder, part, hexOf(digest)), { recursive: true, force: true });
      }
      state.removeImage(reference);
      bytes -= sizes[at]!;
      log.info('removed an unused image', { image: reference });
    }
    const { garbageCollect } = await import('../../oci/garbage-collect.ts');
    await garbageCollect(store);
  }
}

function parse(name: string): Reference {
  try {
    return parseReference(name);
  } catch (error) {
    throw new ImageError('InvalidImageName', messageOf(error), { cause: error });
  }
}

/** Kubernetes' default: a tag that moves by nature is asked for each time. */
const defaultPolicy = ({ tag, digest }: Reference): string =>
  tag === 'latest' && !digest ? 'Always' : 'IfNotPresent';

const sizeOf = ({ manifest }: Image): number =>
  [manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0);

function idOf({ host, repository }: Reference, image: Image): string {
  return formatReference({ ...(host && { host }), repository, digest: image.descriptor.digest });
}
