import { node as nodeKind } from '../api/addresses.ts';
import type { Node } from '../api/kinds/node.ts';
import { type Clock, toTime } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { formatHeld, heldAnnotation } from '../mesh/held-services.ts';
import type { ShimLink } from './shim-link.ts';

/** Services named at a time; the one named longest ago is dropped. */
export const servicesMax = 32;
/** The same Service is told again only after this time. */
export const repeatMs = 5_000;

/** Tells the control plane, through this node's own object, which Services are to be scaled up from zero. */
export class HeldRequests {
  readonly #options: { nodeName: string; client: Client; clock: Clock; log: Log };
  readonly #toldMs = new Map<string, number>();
  #isWriting = false;
  #isDirty = false;

  constructor(options: { nodeName: string; client: Client; clock: Clock; log: Log; shim: ShimLink }) {
    this.#options = options;
    options.shim.onConnected((shim) => shim.onHeld((service) => this.held(service)));
  }

  held(service: string): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - (this.#toldMs.get(service) ?? Number.NEGATIVE_INFINITY) < repeatMs) return;
    this.#toldMs.delete(service);
    this.#toldMs.set(service, nowMs);
    const oldest = this.#toldMs.keys().next().value;
    if (this.#toldMs.size > servicesMax && oldest !== undefined) this.#toldMs.delete(oldest);
    this.#isDirty = true;
    if (!this.#isWriting) void this.#write();
  }

  async #write(): Promise<void> {
    const { nodeName: name, client, log } = this.#options;
    this.#isWriting = true;
    while (this.#isDirty) {
      this.#isDirty = false;
      const value = formatHeld([...this.#toldMs].map(([service, atMs]) => [service, toTime(atMs)] as const));
      const body = { metadata: { annotations: { [heldAnnotation]: value } } };
      try {
        await client.patch<Node>(nodeKind, { name }, { type: 'merge', body });
      } catch (error) {
        // Whoever waits says so again; then this is tried again.
        this.#toldMs.clear();
        log.warn('not told that requests wait for a Service', { error: messageOf(error) });
      }
    }
    this.#isWriting = false;
  }
}
