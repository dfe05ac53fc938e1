import { node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { type Service, service as serviceKind } from '../api/kinds/service.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { type Clock, toTime } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { keyOf } from '../client/cache.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder, subjectOf } from '../client/events.ts';
import { createInformer, type Informer } from '../client/informer.ts';
import { createWorkQueue } from '../client/work-queue.ts';
import { ClusterState } from './cluster-state.ts';
import { schedule } from './schedule.ts';

/** An unschedulable pod is tried again when something changes, but at first not sooner than this, and then doubling, */
const retryInitialMs = 100;
const retryMaxMs = 10_000;
/** and this often in any case, should a change have gone unnoticed. */
const retryAnywayMs = 300_000;

export interface SchedulerOptions {
  client: Client;
  clock: Clock;
  log: Log;
  /** Only pods with this `spec.schedulerName` are taken. */
  schedulerName?: string;
  /** Informers that are shared with others in the process; own ones are made otherwise. */
  informers?: { of<T extends KubeObject>(kind: KindAddress<T>): Informer<T> };
}

interface Binding extends KubeObject {
  target: { apiVersion: 'v1'; kind: 'Node'; name: string };
}

/** Binds pods to nodes until it is stopped. */
export function startScheduler(options: SchedulerOptions): Running {
  const { client, clock, log, schedulerName = 'default-scheduler' } = options;
  const stopping = new AbortController();
  const events = createEventRecorder({ client, clock, log, component: schedulerName });
  const own = <T extends KubeObject>(kind: KindAddress<T>): Informer<T> => {
    const informer = createInformer({ client, kind, clock, log });
    informer.start(stopping.signal);
    return informer;
  };
  const of = options.informers ? options.informers.of.bind(options.informers) : own;
  const [nodes, pods] = [of(nodeKind), of(podKind)];
  const services: Informer<Service> = of(serviceKind);
  const state = new ClusterState(() => services.list());
  const waiting = new Map<string, { failures: number; triedMs: number }>();

  const isMine = (pod: Pod) =>
    !pod.spec?.nodeName &&
    !pod.metadata?.deletionTimestamp &&
    !pod.spec?.schedulingGates?.length &&
    pod.status?.phase !== 'Failed' &&
    pod.status?.phase !== 'Succeeded' &&
    (pod.spec?.schedulerName || 'default-scheduler') === schedulerName;

  const queue = createWorkQueue({ clock, log, process: (key) => attempt(key) });

  async function attempt(key: string): Promise<number | undefined> {
    const pod = pods.get(key);
    if (!pod || !isMine(pod)) {
      waiting.delete(key);
      return undefined;
    }
    const decision = schedule(state.snapshot(), pod);
    if (decision.node === undefined) return postpone(key, pod, decision.message);
    state.assume(pod, decision.node);
    try {
      await bind(client, pod, decision.node);
    } catch (error) {
      state.removePod(key);
      if (isStatus(error, 'NotFound')) return undefined;
      // Someone else bound it; the watch will tell where.
      if (isStatus(error, 'Conflict')) return retryInitialMs;
      throw error;
    }
    waiting.delete(key);
    const { namespace, name } = pod.metadata ?? {};
    const message = `Successfully assigned ${namespace}/${name} to ${decision.node}`;
    events.record(subjectOf(podKind, pod), 'Normal', 'Scheduled', message);
    return undefined;
  }

  async function postpone(key: string, pod: Pod, message: string): Promise<number> {
    const failures = (waiting.get(key)?.failures ?? 0) + 1;
    waiting.set(key, { failures, triedMs: clock.nowMs() });
    events.record(subjectOf(podKind, pod), 'Warning', 'FailedScheduling', message);
    await markUnschedulable(client, clock, pod, message).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    });
    return retryAnywayMs;
  }

  /** Something changed that may let waiting pods through; each is tried again after its own back-off at the earliest. */
  const wakeWaiting = () => {
    for (const [key, { failures, triedMs }] of waiting) {
      const backoffMs = Math.min(retryMaxMs, retryInitialMs * 2 ** Math.min(failures - 1, 20));
      queue.addAfter(key, Math.max(0, triedMs + backoffMs - clock.nowMs()));
    }
  };

  const stops = [
    nodes.onEvent((change) => {
      if (change.type === 'deleted') state.removeNode(change.key);
      else state.putNode(change.object);
      if (change.type !== 'deleted') wakeWaiting();
    }),
    pods.onEvent((change) => {
      if (change.type === 'deleted') {
        state.removePod(change.key);
        waiting.delete(change.key);
        if (change.object.spec?.nodeName) wakeWaiting();
        return;
      }
      state.putPod(change.object);
      const hasEnded =
        change.object.status?.phase === 'Failed' || change.object.status?.phase === 'Succeeded';
      if (hasEnded) wakeWaiting();
      if (isMine(change.object) && isNews(change)) queue.add(keyOf(change.object));
    }),
  ];

  void Promise.all([nodes.hasSynced(), pods.hasSynced(), services.hasSynced()]).then(
    () => queue.start(),
    (error: unknown) => log.debug('scheduler stopped before it began', { error: messageOf(error) }),
  );
  return {
    async stop() {
      for (const stop of stops) stop();
      stopping.abort();
      await queue.stop();
      events.stop();
    },
  };
}

/** Whether a pod is new or changed in what scheduling looks at: not by the condition that we wrote ourselves. */
function isNews(change: { type: string; object: Pod; previous?: Pod }): boolean {
  return (
    change.type === 'added' ||
    change.object.metadata?.generation !== change.previous?.metadata?.generation ||
    JSON.stringify([change.object.spec, change.object.metadata?.labels]) !==
      JSON.stringify([change.previous?.spec, change.previous?.metadata?.labels])
  );
}

async function bind(client: Client, pod: Pod, nodeName: string): Promise<void> {
  const { name, namespace, uid } = pod.metadata ?? {};
  const binding: Binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }) },
    target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
  };
  // The binding subresource takes a Binding and answers with a Status.
  await client.create(podKind as KindAddress<KubeObject>, binding, { subresource: 'binding' });
}

async function markUnschedulable(client: Client, clock: Clock, pod: Pod, message: string): Promise<void> {
  const conditions = pod.status?.conditions ?? [];
  const current = conditions.find(({ type }) => type === 'PodScheduled');
  if (current?.status === 'False' && current.message === message) return;
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: current?.status === 'False' ? current.lastTransitionTime : toTime(clock.nowMs()),
  };
  const { name = '', namespace } = pod.metadata ?? {};
  const patch = { type: 'strategic', body: { status: { conditions: [condition] } } } as const;
  await client.patch(podKind, { name, namespace }, patch, { subresource: 'status' });
}
