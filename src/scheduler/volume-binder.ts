import { type PersistentVolume, persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { keyOf } from '../client/cache.ts';
import type { Client } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { isBound, selectedNodeAnnotation, type VolumePlan } from './volumes.ts';

/** How long a pod waits for its claims to be bound before another node is looked for (bindTimeoutSeconds). */
export const bindTimeoutMs = 600_000;

/** Has a pod's claims bound on the node that was chosen for it. */
export class VolumeBinder {
  #client: Client;
  #clock: Clock;
  #claims: Informer<PersistentVolumeClaim>;
  #assumed = new Map<string, string>();

  constructor(options: { client: Client; clock: Clock; claims: Informer<PersistentVolumeClaim> }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#claims = options.claims;
  }

  /** The claim that a volume is being bound to. */
  assumedClaim(volumeName: string): string | undefined {
    return this.#assumed.get(volumeName);
  }

  /** Keeps the plan's volumes from other pods; to be undone with `forget`. */
  assume(plan: VolumePlan): void {
    for (const { volume, claim } of plan.bind) this.#assumed.set(volume.metadata?.name ?? '', keyOf(claim));
  }

  forget(plan: VolumePlan): void {
    for (const { volume } of plan.bind) this.#assumed.delete(volume.metadata?.name ?? '');
  }

  /**
   * Gives volumes that are there to their claims and asks for the others to be made, then waits for all to be bound.
   * Throws Timeout when that takes too long, Conflict when the provisioner gives the node up.
   */
  async bind(plan: VolumePlan, nodeName: string, signal: AbortSignal): Promise<void> {
    for (const { volume, claim } of plan.bind) await this.#give(volume, claim);
    for (const claim of plan.provision) await this.#ask(claim, nodeName);
    const claims = [...plan.bind.map(({ claim }) => claim), ...plan.provision];
    await this.#untilBound(claims, plan.provision, nodeName, signal);
  }

  async #give(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    const { namespace, name, uid, resourceVersion } = claim.metadata ?? {};
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace,
      name,
      uid,
      resourceVersion,
    };
    const body = {
      metadata: {
        resourceVersion: volume.metadata?.resourceVersion,
        annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' },
      },
      spec: { claimRef },
    };
    await this.#client.patch(volumeKind, { name: volume.metadata?.name ?? '' }, { type: 'merge', body });
  }

  async #ask(claim: PersistentVolumeClaim, nodeName: string): Promise<void> {
    if (claim.metadata?.annotations?.[selectedNodeAnnotation] === nodeName) return;
    const { namespace, name = '', uid } = claim.metadata ?? {};
    const body = { metadata: { uid, annotations: { [selectedNodeAnnotation]: nodeName } } };
    await this.#client.patch(claimKind, { namespace, name }, { type: 'merge', body });
  }

  async #untilBound(
    claims: readonly PersistentVolumeClaim[],
    provisioned: readonly PersistentVolumeClaim[],
    nodeName: string,
    signal: AbortSignal,
  ): Promise<void> {
    const areBound = () => claims.every((claim) => isBound(this.#claims.get(keyOf(claim)) ?? {}));
    const asked = new Set<string>();
    const done = Promise.withResolvers<void>();
    const stop = this.#claims.onEvent(({ object }) => {
      const selected = object.metadata?.annotations?.[selectedNodeAnnotation];
      const isOurs = provisioned.some((claim) => keyOf(claim) === keyOf(object));
      if (isOurs && selected === nodeName) asked.add(keyOf(object));
      // A provisioner that cannot serve the node takes the annotation away.
      else if (isOurs && asked.has(keyOf(object)) && selected === undefined)
        done.reject(new StatusError('Conflict', `provisioning failed for PVC "${object.metadata?.name}"`));
      if (areBound()) done.resolve();
    });
    const timeout = new AbortController();
    const onAbort = () => timeout.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (areBound()) return;
      const late = sleep(this.#clock, bindTimeoutMs, timeout.signal).then(() => {
        throw new StatusError('Timeout', 'timed out waiting for the condition');
      });
      await Promise.race([done.promise, late]);
    } finally {
      done.promise.catch(() => {});
      stop();
      signal.removeEventListener('abort', onAbort);
      timeout.abort();
    }
  }
}
