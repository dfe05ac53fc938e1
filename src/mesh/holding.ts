import type { Decision } from './decide.ts';

/** Requests that wait for a first endpoint at a time, in one process; further ones are refused at once. */
export const heldMax = 256;
/** While requests wait for it, the Service is named again this often: a word to the control plane may get lost. */
export const remindMs = 2_000;

/** When one who is refused may try again: a pod may have come by then. */
export const retryAfterSeconds = 5;

/** Holds requests to Services that are scaled to zero until a route has an endpoint, or their time is up. */
export class Holding {
  readonly #onHold: (service: string) => void;
  readonly #waiting = new Map<() => void, string>();
  #reminder: NodeJS.Timeout | undefined;

  constructor(options: { onHold: (service: string) => void }) {
    this.#onHold = options.onHold;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** The first decision that is no `refused` with `holds`; the last one after the route's time, or on abort. */
  async decided(decide: () => Decision, signal?: AbortSignal): Promise<Decision> {
    let decision = decide();
    if (decision.kind !== 'refused' || !decision.holds || signal?.aborted) return decision;
    if (this.#waiting.size >= heldMax) {
      const reason = `${decision.reason}, and ${heldMax} requests wait for Services already`;
      return { kind: 'refused', reason, retryAfterSeconds };
    }
    const { namespace, name, holdSeconds = 0 } = decision.holds;
    const service = `${namespace}/${name}`;
    const done = Promise.withResolvers<void>();
    const check = () => {
      decision = decide();
      if (decision.kind !== 'refused' || !decision.holds) done.resolve();
    };
    const timer = setTimeout(() => done.resolve(), holdSeconds * 1000);
    const abort = () => done.resolve();
    signal?.addEventListener('abort', abort, { once: true });
    const isFirst = ![...this.#waiting.values()].includes(service);
    this.#waiting.set(check, service);
    if (isFirst) this.#onHold(service);
    this.#remind();
    try {
      await done.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#waiting.delete(check);
    }
    if (decision.kind !== 'refused' || !decision.holds) return decision;
    const reason = `${decision.reason}; none came within ${holdSeconds} s`;
    return { kind: 'refused', reason, retryAfterSeconds };
  }

  /** The routes have changed. */
  recheck(): void {
    for (const check of [...this.#waiting.keys()]) check();
  }

  #remind(): void {
    this.#reminder ??= setTimeout(() => {
      this.#reminder = undefined;
      for (const service of new Set(this.#waiting.values())) this.#onHold(service);
      if (this.#waiting.size > 0) this.#remind();
    }, remindMs);
    this.#reminder.unref();
  }
}
