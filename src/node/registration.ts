import { lease as leaseKind, node as nodeKind } from '../api/addresses.ts';
import { isContained } from '../api/equal.ts';
import type { Lease } from '../api/kinds/lease.ts';
import type { Node } from '../api/kinds/node.ts';
import { type CancelTimer, type Clock, toMicroTime } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { MachineFacts } from './machine.ts';
import { type NodeDescription, nodeObject, nodeStatus } from './node-object.ts';

/** Kubernetes' own figures: the lease is renewed every quarter of its life. */
export const leaseSeconds = 40;
export const renewMs = 10_000;
/** An unchanged status is written again this often. */
export const statusReportMs = 300_000;
/** The first wait after a failure is twice this; the longest is a beat. */
const retryMs = 250;
const leaseNamespace = 'kube-node-lease';

export interface RegistrationOptions {
  client: Client;
  clock: Clock;
  log: Log;
  description: () => NodeDescription;
  machine: () => MachineFacts;
}

/** Makes the Node object, keeps its Lease and its status. A server that doesn't answer is asked again at the next beat. */
export class Registration implements Running {
  readonly #options: RegistrationOptions;
  #timer: CancelTimer | undefined;
  #beating: Promise<void> | undefined;
  #isStopped = false;
  #isRegistered = false;
  #hasLease = false;
  #failures = 0;
  #status: Node['status'];
  #reportedAtMs = 0;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** Registers the node; resolves after the first try, which may have failed. */
  start(): Promise<void> {
    return this.#beat();
  }

  /** Something in the description has changed: tells the server soon. */
  refresh(): void {
    this.#isRegistered = false;
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    await this.#beating;
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#tell().finally(() => {
      this.#beating = undefined;
      this.#schedule(this.#failures === 0 ? renewMs : Math.min(renewMs, retryMs * 2 ** this.#failures));
    });
    return this.#beating;
  }

  #schedule(delayMs: number): void {
    this.#timer?.();
    if (!this.#isStopped) this.#timer = this.#options.clock.after(delayMs, () => void this.#beat());
  }

  async #tell(): Promise<void> {
    const { log } = this.#options;
    try {
      if (!this.#isRegistered) await this.#register();
      // The lease first: whatever is wrong with the status, the node is alive.
      await this.#renewLease();
      await this.#reportStatus();
      if (this.#failures > 0) log.info('the API server answers again', { failures: this.#failures });
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      // The Node may have been deleted, or the server set up anew: begin from the start.
      if (isStatus(error, 'NotFound')) this.#isRegistered = false;
      const level = this.#failures === 1 ? 'warn' : 'debug';
      log[level]('node status not reported, will retry', { error: messageOf(error) });
    }
  }

  async #register(): Promise<void> {
    const { client, log, description } = this.#options;
    const wanted = nodeObject(description());
    const name = wanted.metadata!.name!;
    const present = await this.#present(name);
    if (!present) {
      await client.create<Node>(nodeKind, wanted);
      log.info('registered the node', { name });
    } else if (!isContained(wanted.metadata, present.metadata)) {
      const { labels, annotations } = wanted.metadata!;
      const body = { metadata: { labels, annotations } };
      await client.patch<Node>(nodeKind, { name }, { type: 'merge', body });
    }
    this.#status ??= present?.status;
    this.#isRegistered = true;
  }

  async #present(name: string): Promise<Node | undefined> {
    try {
      return await this.#options.client.get<Node>(nodeKind, { name });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #reportStatus(): Promise<void> {
    const { client, clock, description, machine } = this.#options;
    const nowMs = clock.nowMs();
    const wanted = nodeStatus(description(), machine(), { before: this.#status, nowMs });
    const isDue = nowMs - this.#reportedAtMs >= statusReportMs;
    if (!isDue && this.#status && isContained(withoutHeartbeat(wanted), this.#status)) return;
    const { name } = description();
    const body = { status: wanted };
    await client.patch<Node>(nodeKind, { name }, { type: 'strategic', body }, { subresource: 'status' });
    this.#status = wanted;
    this.#reportedAtMs = nowMs;
  }

  async #renewLease(): Promise<void> {
    const { client, clock, description } = this.#options;
    const { name } = description();
    const renewTime = toMicroTime(clock.nowMs());
    const key = { namespace: leaseNamespace, name };
    if (this.#hasLease) {
      try {
        await client.patch<Lease>(leaseKind, key, { type: 'merge', body: { spec: { renewTime } } });
        return;
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    await this.#createLease(name, renewTime);
    this.#hasLease = true;
  }

  async #createLease(name: string, renewTime: string): Promise<void> {
    const { client } = this.#options;
    const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime };
    try {
      await client.create<Lease>(leaseKind, { metadata: { name, namespace: leaseNamespace }, spec } as Lease);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
      const key = { namespace: leaseNamespace, name };
      await client.patch<Lease>(leaseKind, key, { type: 'merge', body: { spec } });
    }
  }
}

function withoutHeartbeat(status: NonNullable<Node['status']>): unknown {
  const conditions = status.conditions?.map(({ lastHeartbeatTime: _, ...condition }) => condition);
  return { ...status, conditions };
}
