import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { type Change, keyOf } from '../client/cache.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder } from '../client/events.ts';
import { createInformer, type Informer } from '../client/informer.ts';
import { Binder } from './binder.ts';
import { ClusterState } from './cluster-state.ts';
import type { ClusterEvent } from './hints.ts';
import { likeness } from './likeness.ts';
import { Outcomes } from './outcomes.ts';
import { schedule } from './schedule.ts';
import { SchedulingQueue } from './scheduling-queue.ts';
import { followAll } from './sources.ts';
import { isReady } from './taints.ts';
import { VolumeBinder } from './volume-binder.ts';
import { prepareVolumes } from './volumes.ts';

/** Pods that are placed in one turn of the event loop: among thousands of nodes each takes a few milliseconds. */
const podsPerTurn = 2;
/** Bindings that are under way at once; what they write shares its flushes to disk. */
export const bindingsMax = 64;

export interface SchedulerOptions {
  client: Client;
  clock: Clock;
  log: Log;
  /** Only pods with this `spec.schedulerName` are taken. */
  schedulerName?: string;
  /** Informers that are shared with others in the process; own ones are made otherwise. */
  informers?: { of<T extends KubeObject>(kind: KindAddress<T>): Informer<T> };
}

/** Binds pods to nodes until it is stopped. */
export function startScheduler(options: SchedulerOptions): Running {
  return new Scheduler(options);
}

class Scheduler implements Running {
  #log: Log;
  #name: string;
  #stopping = new AbortController();
  #informers: ReturnType<typeof followAll>;
  #cluster: ClusterState;
  #queue: SchedulingQueue;
  #volumes: VolumeBinder;
  #binder: Binder;
  #outcomes: Outcomes;
  #events: ReturnType<typeof createEventRecorder>;
  #detach: (() => void)[];
  #bindings = new Set<Promise<void>>();
  #start = 0;
  #isStarted = false;
  #isDue = false;

  constructor(options: SchedulerOptions) {
    const { client, clock, log, schedulerName = 'default-scheduler' } = options;
    this.#log = log.with({ component: 'scheduler' });
    this.#name = schedulerName;
    const own = <T extends KubeObject>(kind: KindAddress<T>): Informer<T> => {
      const indexers = { namespace: ({ metadata }: T) => (metadata?.namespace ? [metadata.namespace] : []) };
      const informer = createInformer({ client, kind, clock, log, indexers });
      informer.start(this.#stopping.signal);
      return informer;
    };
    this.#informers = followAll(options.informers ? options.informers.of.bind(options.informers) : own);
    const { services, replicaSets, statefulSets, replicationControllers, namespaces, claims } =
      this.#informers;
    this.#cluster = new ClusterState({
      namespaceLabels: (name) => namespaces.get(name)?.metadata?.labels,
      likeness: (pod) =>
        likeness(pod, {
          services: (namespace) => services.byIndex('namespace', namespace),
          replicaSet: (key) => replicaSets.get(key),
          statefulSet: (key) => statefulSets.get(key),
          replicationController: (key) => replicationControllers.get(key),
        }),
    });
    this.#events = createEventRecorder({ client, clock, log, component: schedulerName });
    this.#queue = new SchedulingQueue(clock, () => this.#wake());
    this.#volumes = new VolumeBinder({ client, clock, claims });
    this.#binder = new Binder({ client, volumes: this.#volumes });
    const outcomes = { client, clock, log: this.#log, events: this.#events, schedulerName };
    this.#outcomes = new Outcomes(outcomes);
    this.#detach = this.#follow();
    Promise.all(Object.values(this.#informers).map((informer) => informer.hasSynced())).then(
      () => {
        this.#isStarted = true;
        this.#wake();
      },
      (error: unknown) => this.#log.debug('stopped before it began', { error: messageOf(error) }),
    );
  }

  async stop(): Promise<void> {
    for (const detach of this.#detach) detach();
    this.#queue.stop();
    this.#stopping.abort();
    await Promise.all(this.#bindings);
    this.#events.stop();
  }

  #follow(): (() => void)[] {
    const { nodes, pods, claims, volumes, storageClasses } = this.#informers;
    const onVolume = () => this.#notice({ about: 'volume' });
    return [
      nodes.onEvent((change) => this.#onNode(change)),
      pods.onEvent((change) => this.#onPod(change)),
      claims.onEvent(onVolume),
      volumes.onEvent(onVolume),
      storageClasses.onEvent(onVolume),
    ];
  }

  #onNode(change: Change<Node>): void {
    if (change.type === 'deleted') this.#cluster.removeNode(change.key);
    else this.#cluster.putNode(change.object);
    // Most of what nodes write are heartbeats; those help nobody.
    const isHeartbeat = change.type === 'modified' && isSame(offer(change.object), offer(change.previous));
    if (!isHeartbeat) this.#notice({ about: 'node', change });
  }

  #onPod(change: Change<Pod>): void {
    const { object: pod, key } = change;
    const wasPlaced = change.type === 'modified' && holdsRoom(change.previous);
    if (change.type !== 'deleted' && holdsRoom(pod)) {
      this.#queue.delete(key);
      this.#cluster.putPod(pod);
      if (!wasPlaced) this.#noticePod('placed', pod);
      else if (!isSame(pod.metadata?.labels, change.previous.metadata?.labels))
        this.#noticePod('changed', pod);
      return;
    }
    if (change.type !== 'deleted' && this.#isMine(pod)) {
      if (pod.status?.nominatedNodeName) this.#cluster.nominate(pod, pod.status.nominatedNodeName);
      if (isNews(change)) this.#queue.add(pod);
      else this.#queue.refresh(pod);
      return;
    }
    const heldRoom = wasPlaced || pod.spec?.nodeName !== undefined || Boolean(pod.status?.nominatedNodeName);
    this.#queue.delete(key);
    this.#cluster.removePod(key);
    if (heldRoom) this.#noticePod('gone', pod);
  }

  #isMine({ spec, metadata, status }: Pod): boolean {
    return (
      !spec?.nodeName &&
      !metadata?.deletionTimestamp &&
      !spec?.schedulingGates?.length &&
      status?.phase !== 'Failed' &&
      status?.phase !== 'Succeeded' &&
      (spec?.schedulerName || 'default-scheduler') === this.#name
    );
  }

  #noticePod(what: 'placed' | 'changed' | 'gone', pod: Pod): void {
    this.#notice({ about: 'pod', what, pod, namespaceLabels: this.#cluster.namespaceLabels });
  }

  #notice(event: ClusterEvent): void {
    this.#queue.notice(event);
  }

  /** Places what waits, a few pods a turn, so that requests are served in between. */
  #wake(): void {
    if (!this.#isStarted || this.#isDue || this.#stopping.signal.aborted) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      for (let count = 0; count < podsPerTurn; count++) {
        if (this.#stopping.signal.aborted || this.#bindings.size >= bindingsMax) return;
        const pod = this.#queue.pop();
        if (!pod) return;
        this.#place(pod);
      }
      this.#wake();
    });
  }

  #place(pod: Pod): void {
    const { pods, budgets, claims, volumes, storageClasses } = this.#informers;
    const key = keyOf(pod);
    const known = pods.get(key);
    if (!known || !this.#isMine(known)) {
      this.#queue.delete(key);
      return;
    }
    const prepared = prepareVolumes(pod, this.#cluster, {
      claim: (name) => claims.get(name),
      volume: (name) => volumes.get(name),
      volumes: () => volumes.list(),
      storageClass: (name) => storageClasses.get(name),
      assumedClaim: (name) => this.#volumes.assumedClaim(name),
    });
    const decision = schedule(this.#cluster, pod, {
      prepared,
      budgets: budgets.list(),
      start: this.#start,
      onSearched: (searched) => {
        this.#start = (this.#start + searched) % Math.max(1, this.#cluster.nodes.length);
      },
    });
    if (decision.node === undefined) {
      const { preemption } = decision;
      if (preemption) this.#cluster.nominate(pod, preemption.node);
      else this.#cluster.withdraw(key);
      const beaten = preemption ? this.#nominatedBelow(pod, preemption.node) : [];
      this.#queue.park(key, decision.plugins);
      this.#track(this.#outcomes.fail(pod, decision, beaten));
      return;
    }
    const { node } = this.#cluster.node(decision.node)!;
    const plan = 'planFor' in prepared ? prepared.planFor(node) : undefined;
    this.#cluster.assume(pod, decision.node);
    const binding = this.#bind(pod, decision.node, plan);
    // One that waits for volumes may wait for minutes: it must not keep others from being placed.
    if (plan) this.#own(binding);
    else this.#track(binding);
  }

  /** Pods of lower priority that wait for the same node have to look for another. */
  #nominatedBelow(pod: Pod, nodeName: string): Pod[] {
    const below = this.#cluster
      .nominated(nodeName)
      .filter(({ priority }) => priority < (pod.spec?.priority ?? 0));
    for (const { key } of below) this.#cluster.withdraw(key);
    return below.map((placed) => placed.pod);
  }

  async #bind(pod: Pod, nodeName: string, plan: Parameters<Binder['bind']>[2]): Promise<void> {
    const key = keyOf(pod);
    try {
      await this.#binder.bind(pod, nodeName, plan, this.#stopping.signal);
      this.#queue.delete(key);
      this.#outcomes.succeed(pod, nodeName);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      // Unless somebody else bound it, the watch having told so.
      if (!this.#informers.pods.get(key)?.spec?.nodeName) {
        this.#cluster.removePod(key);
        this.#noticePod('gone', pod);
      }
      this.#queue.retry(key);
      await this.#outcomes.failToBind(pod, error);
    }
  }

  #track(work: Promise<void>): void {
    const settled = this.#own(work).then(() => {
      this.#bindings.delete(settled);
      this.#wake();
    });
    this.#bindings.add(settled);
  }

  #own(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) =>
      this.#log.warn('cannot tell an outcome', { error: messageOf(error) }),
    );
  }
}

/** What of a node decides whether it takes a pod. */
function offer(node: Node): unknown[] {
  return [node.metadata?.labels, node.spec, node.status?.allocatable, isReady(node)];
}

function holdsRoom({ spec, status }: Pod): boolean {
  return Boolean(spec?.nodeName) && status?.phase !== 'Failed' && status?.phase !== 'Succeeded';
}

/** Whether a pod is new or changed in what scheduling looks at: not by the condition that we wrote ourselves. */
function isNews(change: Change<Pod>): boolean {
  if (change.type !== 'modified') return true;
  const { object, previous } = change;
  return !isSame([object.spec, object.metadata?.labels], [previous.spec, previous.metadata?.labels]);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
