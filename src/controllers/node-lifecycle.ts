import { type Lease, lease as leaseKind } from '../api/kinds/lease.ts';
import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { toTime } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { isReady } from '../scheduler/taints.ts';
import { type Context, runController, source } from './controller.ts';
import { Heartbeats } from './node-lifecycle/heartbeats.ts';
import { evictionMs, isDisrupted, silentConditions, taintsFor } from './node-lifecycle/plan.ts';
import { keyOfMeta } from './owner.ts';
import { hasPodEnded, isPodReady } from './pods.ts';

const leaseNamespace = 'kube-node-lease';

export interface NodeLifecycleOptions {
  /** A node whose Lease was not renewed for this long is taken for dead; 40 s by default, as in Kubernetes. */
  nodeGraceSeconds?: number;
  /** How long a pod that says nothing of it stays bound to a dead node; 300 s by default, as in Kubernetes. */
  evictAfterSeconds?: number;
}

/** Notices nodes that went silent, keeps traffic and new pods away from them, and moves their pods on in the end. */
export function run(context: Context, options: NodeLifecycleOptions = {}): Running {
  const { nodeGraceSeconds = 40, evictAfterSeconds = 300 } = options;
  const { client, clock, log, informers } = context;
  const [nodes, leases, pods] = [informers.of(nodeKind), informers.of(leaseKind), informers.of(podKind)];
  const events = context.recorder('node-controller');
  const heartbeats = new Heartbeats(clock);
  const dueMs = new Map<string, number>();
  const silentNodes = new Set<string>();
  let wasDisrupted = false;

  const allNames = () => nodes.list().map(({ metadata }) => metadata?.name ?? '');
  const observe = (name: string) => {
    const node = nodes.get(name);
    if (node) heartbeats.observe(name, leases.get(`${leaseNamespace}/${name}`), node);
  };
  const keysForNode = (change: Change<Node>): string[] => {
    const name = change.key;
    if (change.type === 'deleted') {
      heartbeats.forget(name);
      dueMs.delete(name);
    } else observe(name);
    return [name];
  };
  /** A renewal costs nothing here, unless it is news that the node is alive. */
  const keysForLease = ({ object }: Change<Lease>): string[] => {
    const { namespace, name = '' } = object.metadata ?? {};
    if (namespace !== leaseNamespace) return [];
    observe(name);
    return silentNodes.has(name) || !dueMs.has(name) ? [name] : [];
  };
  const keysForPod = ({ type, object }: Change<Pod>): string[] => {
    const { nodeName } = object.spec ?? {};
    const node = nodeName === undefined ? undefined : nodes.get(nodeName);
    // Pods matter here only on nodes that have to lose them.
    return type !== 'deleted' && node && (!isReady(node) || hasNoExecute(node))
      ? [node.metadata?.name ?? '']
      : [];
  };

  async function reconcile(name: string): Promise<number | undefined> {
    const node = nodes.get(name);
    const due = dueMs.get(name);
    if (!node) {
      silentNodes.delete(name);
      return undefined;
    }
    observe(name);
    if (due !== undefined && heartbeats.noticeStall(due))
      log.warn('this process stood still; nodes get their time again');
    const graceMs = nodeGraceSeconds * 1000;
    const silenceMs = heartbeats.silenceMs(name);
    const isSilent = silenceMs >= graceMs;
    if (isSilent) silentNodes.add(name);
    else silentNodes.delete(name);
    const nowMs = clock.nowMs();
    const isHalted = isDisrupted(nodes.list().length, silentNodes.size);

    let latest = node;
    const conditions = isSilent ? silentConditions(node, nowMs) : undefined;
    if (conditions) {
      latest = await client.update(
        nodeKind,
        { ...node, status: { ...node.status, conditions } },
        { subresource: 'status' },
      );
      events.record(
        subjectOf(nodeKind, node),
        'Normal',
        'NodeNotReady',
        `Node ${name} status is now: NodeNotReady`,
      );
    }
    const taints = taintsFor(latest, { isHalted, nowMs });
    if (taints) latest = await client.update(nodeKind, { ...latest, spec: { ...latest.spec, taints } });
    if (!isReady(latest)) await markPodsNotReady(name);
    const evictInMs = isHalted ? undefined : await evict(latest);

    const checkInMs = isSilent ? undefined : graceMs - silenceMs;
    const againInMs = Math.min(checkInMs ?? Number.POSITIVE_INFINITY, evictInMs ?? Number.POSITIVE_INFINITY);
    if (checkInMs === undefined) dueMs.delete(name);
    else dueMs.set(name, nowMs + againInMs);
    if (isHalted !== wasDisrupted) {
      wasDisrupted = isHalted;
      if (isHalted)
        log.warn('too many nodes are silent at once; no pods are evicted', { silent: silentNodes.size });
      for (const other of allNames()) if (other !== name) queueAgain(other);
    }
    return Number.isFinite(againInMs) ? againInMs : undefined;
  }

  /** A dead node cannot say that its pods are gone; Services must stop sending to them at once. */
  async function markPodsNotReady(nodeName: string): Promise<void> {
    const affected = pods.byIndex('node', nodeName).filter((pod) => isPodReady(pod) && !hasPodEnded(pod));
    for (const pod of affected) {
      const condition = {
        type: 'Ready',
        status: 'False',
        reason: 'NodeNotReady',
        message: `node "${nodeName}" is not ready`,
        lastTransitionTime: toTime(clock.nowMs()),
      };
      const body = { metadata: { uid: pod.metadata?.uid }, status: { conditions: [condition] } };
      const key = keyOfMeta(pod.metadata ?? {});
      await client
        .patch(podKind, key, { type: 'strategic', body }, { subresource: 'status' })
        .catch(ignoreGone);
      events.record(subjectOf(podKind, pod), 'Warning', 'NodeNotReady', 'Node is not ready');
    }
  }

  /** Deletes the pods whose time on the tainted node is over; answers when the next one's is, in ms from now. */
  async function evict(node: Node): Promise<number | undefined> {
    if (!hasNoExecute(node)) return undefined;
    const nowMs = clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const pod of pods.byIndex('node', node.metadata?.name ?? '')) {
      if (pod.metadata?.deletionTimestamp) continue;
      const atMs = evictionMs(pod, node, { evictAfterSeconds, nowMs });
      if (atMs > nowMs) {
        nextMs = Math.min(nextMs, atMs);
        continue;
      }
      const { namespace, name, uid = '' } = pod.metadata ?? {};
      const message = `Marking for deletion Pod ${namespace}/${name}`;
      events.record(subjectOf(podKind, pod), 'Normal', 'TaintManagerEviction', message);
      await client
        .delete(podKind, keyOfMeta(pod.metadata ?? {}), { preconditions: { uid } })
        .catch(ignoreGone);
    }
    return Number.isFinite(nextMs) ? nextMs - nowMs : undefined;
  }

  const again: { add: ((key: string) => void) | undefined } = { add: undefined };
  const queueAgain = (name: string) => again.add?.(name);
  return runController(context, {
    name: 'node-lifecycle',
    sources: [
      source(nodeKind, keysForNode),
      source(leaseKind, keysForLease),
      source(podKind, keysForPod),
      {
        attach(_, queue) {
          again.add = (key) => queue.add(key);
          return { synced: Promise.resolve(), detach: () => {} };
        },
      },
    ],
    reconcile,
    // How many nodes are silent is one number for all.
    concurrency: 1,
  });
}

function hasNoExecute({ spec }: Node): boolean {
  return (spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute');
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
}
