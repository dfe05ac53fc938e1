import { node as nodeKind } from '../api/addresses.ts';
import type { Node } from '../api/kinds/node.ts';
import type { CancelTimer, Clock } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';

/** What is known of a node is asked for anew after so long. */
export const refreshMs = 60_000;
/** Of more nodes than this nothing is known. */
export const namedMax = 1000;

/**
 * Nodes that are asked for by name. Nearly none are: the slices of our own controllers say how to reach their nodes, so
 * that no agent has to follow all nodes, each of which reports every few minutes.
 */
export class NamedNodes {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onChange: () => void;
  #known = new Map<string, { node: Node | undefined; askedMs: number }>();
  #asking: Promise<void> | undefined;
  #timer: CancelTimer | undefined;
  #isStopped = false;

  /** `onChange` is told that `of` would answer something else now, or should be asked again. */
  constructor(options: { client: Client; clock: Clock; log: Log; onChange: () => void }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onChange = options.onChange;
  }

  /** Those of `names` that are known; the others are asked for, and what is no longer named is forgotten. */
  of(names: ReadonlySet<string>): Node[] {
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    for (const name of names) {
      if (this.#known.size >= namedMax) break;
      if (!this.#known.has(name))
        this.#known.set(name, { node: undefined, askedMs: Number.NEGATIVE_INFINITY });
    }
    if (this.#due() !== undefined && !this.#isStopped) this.#asking ??= this.#ask();
    return [...this.#known.values()].flatMap(({ node }) => node ?? []);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    await this.#asking;
  }

  /** One after another: they are few, and nobody waits for them. */
  async #ask(): Promise<void> {
    let hasChanged = false;
    for (;;) {
      const name = this.#due();
      if (name === undefined || this.#isStopped) break;
      hasChanged = (await this.#askFor(name)) || hasChanged;
    }
    this.#asking = undefined;
    if (this.#isStopped) return;
    if (hasChanged) this.#onChange();
    this.#timer?.();
    this.#timer = this.#clock.after(refreshMs, this.#onChange);
  }

  #due(): string | undefined {
    const beforeMs = this.#clock.nowMs() - refreshMs;
    for (const [name, { askedMs }] of this.#known) if (askedMs <= beforeMs) return name;
    return undefined;
  }

  /** Whether there is news of it. What was known holds as long as the server doesn't answer. */
  async #askFor(name: string): Promise<boolean> {
    const before = this.#known.get(name)?.node;
    let node = before;
    try {
      node = await this.#client.get(nodeKind, { name });
    } catch (error) {
      if (isStatus(error, 'NotFound')) node = undefined;
      else this.#log.debug('a node is not known', { name, error: messageOf(error) });
    }
    if (this.#known.has(name)) this.#known.set(name, { node, askedMs: this.#clock.nowMs() });
    return node?.metadata?.resourceVersion !== before?.metadata?.resourceVersion;
  }
}
