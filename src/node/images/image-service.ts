import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { isStatus, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ContentStore } from '../../oci/content-store.ts';
import { type Image, imageBytes, isIsolate, isolateEntry, readImage } from '../../oci/image.ts';
import { formatReference, parseReference, type Reference } from '../../oci/reference.ts';
import type { RegistryEndpoint } from '../../oci/registry-client.ts';
import type { ImageFolder, Images, PulledImage } from '../pods/container-start.ts';
import type { NodeState } from '../state.ts';
import { artifactFolder, isArtifact } from './artifact-folder.ts';
import { builtinImage, isBuiltin } from './builtin-images.ts';
import { ImageError } from './image-error.ts';

/** Above this, images that no pod uses are removed, the one unused for longest first. */
export const imagesBytesMax: number = 4 * 1024 ** 3;

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
    const rootDir = await this.#used(await this.#unpack(image));
    const { Env = [], WorkingDir = '/', Cmd = [] } = image.config.config ?? {};
    return {
      id: idOf(reference, image),
      rootDir,
      entry: isolateEntry(image.config),
      args: Cmd,
      env: Env,
      workingDir: join(rootDir, WorkingDir),
      sizeBytes: imageBytes(image),
      ...(pulledInMs !== undefined && { pulledInMs }),
    };
  }

  async folder(name: string, policy: string | undefined): Promise<ImageFolder> {
    const { reference, image } = await this.#get(name, policy, () => {});
    const path = isArtifact(image.manifest)
      ? await artifactFolder(await this.#open(), image, this.#options.folder)
      : await this.#unpack(image);
    return { path: await this.#used(path), id: idOf(reference, image) };
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

  async #collect(justPulled: string): Promise<void> {
    const { collectImages } = await import('./collect-images.ts');
    const { bytesMax = imagesBytesMax } = this.#options;
    await collectImages({ ...this.#options, bytesMax, justPulled, store: await this.#open() });
  }

  #endpoint({ host }: Reference): RegistryEndpoint {
    if (host === undefined) return this.#options.registry;
    return { url: `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}` };
  }

  async #unpack(image: Image): Promise<string> {
    const { unpackImage } = await import('../../oci/unpack.ts');
    return unpackImage(await this.#open(), image, { use: 'isolate', folder: this.#options.folder });
  }

  /** The folder's time says when it was last asked for: whoever asked has not noted yet that it uses it. */
  async #used(path: string): Promise<string> {
    const now = this.#options.clock.nowMs() / 1000;
    await utimes(path, now, now);
    return path;
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
}

function parse(name: string): Reference {
  try {
    return parseReference(name);
  } catch (error) {
    const why = messageOf(error).replace(/^invalid image reference "[^"]*"/, 'invalid reference format');
    const message = `couldn't parse image name "${name}": ${why}`;
    throw new ImageError('InvalidImageName', message, { cause: error });
  }
}

/** Kubernetes' default: a tag that moves by nature is asked for each time. */
const defaultPolicy = ({ tag, digest }: Reference): string =>
  tag === 'latest' && !digest ? 'Always' : 'IfNotPresent';

function idOf({ host, repository }: Reference, image: Image): string {
  return formatReference({ ...(host && { host }), repository, digest: image.descriptor.digest });
}
