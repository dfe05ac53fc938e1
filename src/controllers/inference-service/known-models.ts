import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ContentStore } from '../../oci/content-store.ts';
import type { ModelDigests } from '../../oci/model-digests.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';

/** Models whose parts are remembered, the latest. */
export const modelsMax = 64;

/** What an `oci://` reference means now. */
export interface KnownModel extends ModelDigests {
  /** With its digest: all pods get the same model, whatever becomes of the tag. */
  reference: string;
}

/** Looks references up in the cluster's own registry: a tag means what it names when it is looked up. */
export class KnownModels {
  readonly #registry: ContentStore | undefined;
  readonly #log: Log;
  readonly #digests = new Map<string, ModelDigests>();

  /** Without a registry nothing is known, and references stay as they are. */
  constructor(registry: ContentStore | undefined, log: Log) {
    this.#registry = registry;
    this.#log = log;
  }

  /**
   * Undefined for a model of another registry, or one that isn't there. `before` is what the same name meant last: that
   * stays if the tag has been removed.
   */
  async find(name: string, before?: string): Promise<KnownModel | undefined> {
    const parsed = parseReference(name);
    if (!this.#registry || parsed.host !== undefined) return undefined;
    try {
      const found = await this.#registry.resolve(parsed);
      if (!found) return before?.startsWith(`${name}@`) ? await this.find(before) : undefined;
      const { digest } = found;
      const digests = this.#digests.get(digest) ?? (await read(this.#registry, found));
      this.#remember(digest, digests);
      return { ...digests, digest, reference: formatReference({ ...parsed, digest }) };
    } catch (error) {
      // It is being pushed, or is no image; the nodes tell what is wrong with it.
      this.#log.debug('model not looked up', { model: name, error: messageOf(error) });
      return undefined;
    }
  }

  #remember(digest: string, digests: ModelDigests): void {
    this.#digests.delete(digest);
    this.#digests.set(digest, digests);
    const oldest = this.#digests.keys().next().value;
    if (this.#digests.size > modelsMax && oldest !== undefined) this.#digests.delete(oldest);
  }
}

/** Loaded with the first model: most clusters have none. */
const read: typeof import('../../oci/model-digests.ts').modelDigests = async (...found) => {
  const { modelDigests } = await import('../../oci/model-digests.ts');
  return modelDigests(...found);
};
