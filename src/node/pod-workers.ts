import { rm } from 'node:fs/promises';
import { pod as podKind } from '../api/addresses.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { Clock } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import { createInformer, type Informer } from '../client/informer.ts';
import type { StartSources } from './pods/container-start.ts';
import { podEvents } from './pods/pod-events.ts';
import { PodWorker } from './pods/pod-worker.ts';
import {
  acceptPod,
  allContainersOf,
  containerId,
  isAlive,
  type PodRecord,
  parseContainerId,
} from './pods/record.ts';
import { StatusWriter } from './pods/status-writer.ts';
import { resume } from './pods/transitions.ts';
import type { ContainerState } from './runtimes/runtime.ts';
import type { ShimLink } from './shim-link.ts';
import { refusalMessage, refusalReason } from './shutdown.ts';
import type { NodeState } from './state.ts';

export interface PodWorkersOptions {
  nodeName: string;
  client: Client;
  clock: Clock;
  log: Log;
  recorder: EventRecorder;
  state: NodeState;
  shim: ShimLink;
  sources: StartSources;
  /** A free address for a pod; waits until the node has a range. */
  address: (record: PodRecord) => Promise<string>;
  /** Called for each pod that is accepted or resumed, and when one is gone. */
  onPod: (change: { record: PodRecord; isGone: boolean }) => void;
  /** Called when a pod's object has changed. */
  onUpdate: (record: PodRecord) => void;
}

/**
 * All pods of a node. It first takes up what its own state and the shim say, so that pods come back without the API
 * server; then follows the API server. A pod ends only when the server says so, never because it doesn't answer.
 */
export class PodWorkers {
  readonly #options: PodWorkersOptions;
  readonly #workers = new Map<string, PodWorker>();
  readonly #status: StatusWriter;
  readonly #informer: Informer<Pod>;
  readonly #stopping = new AbortController();
  /** What the shim runs of pods that this agent has no record of; decided on once the pods have been listed. */
  #unclaimed: ContainerState[] = [];
  #hasSynced = false;

  constructor(options: PodWorkersOptions) {
    this.#options = options;
    const { client, clock, log, nodeName } = options;
    this.#status = new StatusWriter({ client, clock, log });
    this.#informer = createInformer<Pod>({
      client,
      kind: podKind,
      fieldSelector: `spec.nodeName=${nodeName}`,
      clock,
      log,
      onChange: ({ type, object }) => (type === 'deleted' ? this.#onDeleted(object) : this.#onPod(object)),
    });
  }

  async start(): Promise<void> {
    const { shim, state, clock, log } = this.#options;
    const records = state.pods();
    shim.onState((each) => this.#onState(each));
    shim.onLost(() => {
      for (const worker of this.#workers.values()) worker.loseAll();
    });
    const running = await shim.adopt();
    const states = (await running?.list()) ?? [];
    const known = new Set(records.map(({ uid }) => uid));
    this.#unclaimed = states.filter(({ id }) => !known.has(parseContainerId(id)?.uid ?? ''));
    if (records.length > 0) log.info('taking up pods', { pods: records.length, containers: states.length });
    for (const record of records) {
      resume(record, states, clock.nowMs());
      this.#begin(record);
    }
    this.#informer.start(this.#stopping.signal);
    this.#informer.hasSynced().then(
      () => this.#onSynced(),
      () => {},
    );
  }

  /** Resolves once the pods have been listed from the API server. */
  hasSynced(): Promise<void> {
    return this.#informer.hasSynced();
  }

  records(): PodRecord[] {
    return [...this.#workers.values()].map(({ record }) => record);
  }

  /** Ends a pod for good, for what it does to the node. */
  evict(uid: string, message: string): void {
    this.#workers.get(uid)?.evict(message);
  }

  /** Ends a pod because the node shuts down; resolves when the API server knows that it has ended. */
  async terminate({ uid }: PodRecord, graceSeconds: number): Promise<void> {
    const worker = this.#workers.get(uid);
    if (!worker) return;
    const ended = Promise.withResolvers<void>();
    this.#terminating.set(uid, ended.resolve);
    worker.terminate(graceSeconds);
    await ended.promise;
    await this.#status.flush(uid);
  }
  readonly #terminating = new Map<string, () => void>();

  /** Takes no more pods. */
  refusePods(): void {
    this.#isRefusing = true;
  }
  #isRefusing = false;

  async stop(): Promise<void> {
    this.#stopping.abort();
    // A pod that finishes waits for its last status, which may wait for the server: both end together.
    await Promise.all([this.#status.stop(), ...[...this.#workers.values()].map((worker) => worker.stop())]);
  }

  #onPod(pod: Pod): void {
    const { uid } = pod.metadata!;
    const worker = this.#workers.get(uid!);
    if (worker) {
      worker.update(pod);
      this.#options.onUpdate(worker.record);
      return;
    }
    const { clock } = this.#options;
    const record = acceptPod(pod, clock.nowMs());
    this.#claim(record);
    this.#begin(record);
    if (this.#isRefusing) this.#workers.get(record.uid)?.evict(refusalMessage, refusalReason);
  }

  /** Adopts containers of a pod whose record was lost together with this node's state. */
  #claim(record: PodRecord): void {
    for (const state of this.#unclaimed) {
      const parsed = parseContainerId(state.id);
      const container = parsed && record.containers[parsed.container];
      if (!container || parsed.uid !== record.uid || parsed.restartCount < container.restartCount) continue;
      container.restartCount = parsed.restartCount;
      container.phase = { kind: 'creating' };
    }
    resume(record, this.#unclaimed, this.#options.clock.nowMs());
    this.#unclaimed = this.#unclaimed.filter(({ id }) => parseContainerId(id)?.uid !== record.uid);
  }

  #onDeleted(pod: Pod): void {
    this.#workers.get(pod.metadata!.uid!)?.vanish(pod);
  }

  /** The list is complete: what it doesn't have is gone, and what belongs to no pod is a leftover. */
  #onSynced(): void {
    this.#hasSynced = true;
    const listed = new Set(this.#informer.list().map((each) => each.metadata!.uid));
    for (const worker of this.#workers.values()) {
      if (listed.has(worker.record.uid)) continue;
      this.#options.log.info('pod was deleted while this agent was away', { pod: worker.record.name });
      worker.vanish();
    }
    for (const { id } of this.#unclaimed) this.#reap(id);
    this.#unclaimed = [];
  }

  #onState(state: ContainerState): void {
    const parsed = parseContainerId(state.id);
    const worker = parsed && this.#workers.get(parsed.uid);
    if (worker) {
      worker.observe(state, parsed.container);
      return;
    }
    if (this.#hasSynced && state.phase !== 'exited') this.#reap(state.id);
  }

  #reap(id: string): void {
    const { shim, log } = this.#options;
    log.info('removing a container that belongs to no pod', { id });
    const reap = async () => {
      await shim.current?.stop(id, { graceSeconds: 5 });
      await shim.current?.remove(id);
    };
    reap().catch((error: unknown) => log.warn('container not removed', { id, error: messageOf(error) }));
  }

  #begin(record: PodRecord): void {
    const { sources, recorder, clock, log, address, shim } = this.#options;
    const worker = new PodWorker({
      record,
      sources,
      events: podEvents(record, recorder),
      clock,
      log: log.with({ pod: `${record.namespace}/${record.name}` }),
      address,
      onChange: (changed) => this.#onChange(changed),
      finish: (finished) => this.#finish(finished),
      currentRuntime: () => shim.current,
    });
    this.#workers.set(record.uid, worker);
    this.#options.onPod({ record, isGone: false });
    worker.sync();
  }

  #onChange(record: PodRecord): void {
    if (!this.#workers.has(record.uid)) return;
    const { state } = this.#options;
    state.savePod(record);
    if (record.status && !record.isGone) this.#status.set(record, record.status);
    if (!Object.values(record.containers).some(isAlive)) this.#terminating.get(record.uid)?.();
    this.#dropOldAttempts(record);
  }

  /** The runtime keeps an exited container until its successor has begun; then only its log stays. */
  #dropOldAttempts(record: PodRecord): void {
    const { shim } = this.#options;
    for (const [name, { restartCount, phase }] of Object.entries(record.containers)) {
      if (restartCount === 0 || phase.kind !== 'running') continue;
      const id = containerId(record.uid, name, restartCount - 1);
      if (this.#dropped.get(`${record.uid}/${name}`) === id) continue;
      this.#dropped.set(`${record.uid}/${name}`, id);
      shim.current?.remove(id).catch(() => {});
      // `kubectl logs --previous` shows one attempt back; older ones go.
      const old = `${this.#options.sources.logDir(record)}/${name}/${restartCount - 2}.log`;
      if (restartCount >= 2) rm(old, { force: true }).catch(() => {});
    }
  }
  readonly #dropped = new Map<string, string>();

  /** Gives back all that a pod used, and only then tells the API server that it has ended. */
  async #finish(record: PodRecord): Promise<void> {
    const { shim, state, sources, client, log } = this.#options;
    for (const { name } of allContainersOf(record)) {
      const { restartCount } = record.containers[name]!;
      await shim.current?.remove(containerId(record.uid, name, restartCount));
      this.#dropped.delete(`${record.uid}/${name}`);
    }
    await shim.current?.forgetPod(record.uid);
    await rm(sources.podDir(record.uid), { recursive: true, force: true });
    await rm(sources.logDir(record), { recursive: true, force: true });
    if (!record.isGone) {
      await this.#status.flush(record.uid);
      await confirmDeletion(client, record);
    }
    this.#status.forget(record.uid);
    this.#workers.delete(record.uid);
    state.removePod(record.uid);
    this.#options.onPod({ record, isGone: true });
    log.info('pod ended', { pod: `${record.namespace}/${record.name}` });
  }
}

/** A delete without grace, of this pod and no successor of the same name, ends a pod's graceful deletion. */
async function confirmDeletion(client: Client, { namespace, name, uid }: PodRecord): Promise<void> {
  try {
    const options = { gracePeriodSeconds: 0, preconditions: { uid } };
    await client.delete(podKind, { namespace, name }, options);
  } catch (error) {
    if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
  }
}
