import { conditionOf } from '../api/conditions.ts';
import { type Lease, lease as leaseKind } from '../api/kinds/lease.ts';
import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { toTime } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { isReady } from '../scheduler/taints.ts';
import { type Context, runController, source } from './controller.ts';
import { Heartbeats } from './node-lifecycle/heartbeats.ts';
import { isGivenUp, isLost, silentConditions, taintsFor } from './node-lifecycle/plan.ts';
import { type Standing, Zones } from './node-lifecycle/zones.ts';
import { keyOfMeta } from './owner.ts';
import { isPodReady } from './pods.ts';

const leaseNamespace = 'kube-node-lease';
/** How often this process looks whether it stood still itself. */
const tickMs = 5000;

/** Labels that repeat others under the name of before. */
const oldLabels = [
  ['beta.kubernetes.io/os', 'kubernetes.io/os'],
  ['beta.kubernetes.io/arch', 'kubernetes.io/arch'],
] as const;

export interface NodeLifecycleOptions {
  /** A node whose Lease was not renewed for this long is taken for dead; 40 s by default, as in Kubernetes. */
  nodeGraceSeconds?: number;
}

/** Notices nodes that went silent, and by taints keeps traffic, new pods and in the end all pods away from them. */
export function run(context: Context, options: NodeLifecycleOptions = {}): Running {
  const graceMs = (options.nodeGraceSeconds ?? 40) * 1000;
  const { client, clock, log, informers } = context;
  const [nodes, leases, pods] = [informers.of(nodeKind), informers.of(leaseKind), informers.of(podKind)];
  const events = context.recorder('node-controller');
  const heartbeats = new Heartbeats(clock);
  const zones = new Zones(clock);
  const dueMs = new Map<string, number>();
  const silentNodes = new Set<string>();
  let wereAllDown = false;
  let tickDueMs = clock.nowMs() + tickMs;
  let cancelTick = clock.after(tickMs, tick);

  const observe = (name: string) => {
    const node = nodes.get(name);
    if (node) heartbeats.observe(name, leases.get(`${leaseNamespace}/${name}`), node);
  };
  const keysForNode = (change: Change<Node>): string[] => {
    const name = change.key;
    tellKnown(change);
    if (change.type === 'deleted') {
      heartbeats.forget(name);
      zones.forget(name);
      dueMs.delete(name);
    } else {
      observe(name);
      zones.observe(change.object, standingOf(change.object));
    }
    return [name];
  };
  function tellKnown({ type, key, object }: Change<Node>): void {
    if (type === 'modified') return;
    const isNew = type === 'added';
    const reason = isNew ? 'RegisteredNode' : 'RemovingNode';
    const what = isNew ? `Registered Node ${key} in Controller` : `Removing Node ${key} from Controller`;
    events.record(subjectOf(nodeKind, object), 'Normal', reason, `Node ${key} event: ${what}`);
  }
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
    // A pod that was bound to a lost node must not count as ready either.
    return type !== 'deleted' && node && !isReady(node) ? [node.metadata?.name ?? ''] : [];
  };

  async function reconcile(name: string): Promise<number | undefined> {
    const node = nodes.get(name);
    if (!node) {
      silentNodes.delete(name);
      return undefined;
    }
    observe(name);
    noticeStall();
    const silenceMs = heartbeats.silenceMs(name);
    const isSilent = silenceMs >= graceMs;
    if (isSilent) silentNodes.add(name);
    else silentNodes.delete(name);
    const labelled = await keepOldLabels(node);
    const latest = isSilent ? await tellSilent(labelled) : labelled;
    zones.observe(latest, standingOf(latest));
    noticeAllDown(name);
    const waitMs = await taint(latest);
    // A node that is there and not ready speaks for its pods itself.
    if (conditionOf(latest, 'Ready')?.status === 'Unknown') await markPodsNotReady(name);

    const checkInMs = isSilent ? Number.POSITIVE_INFINITY : graceMs - silenceMs;
    const againInMs = Math.min(checkInMs, waitMs);
    if (isSilent) dueMs.delete(name);
    else dueMs.set(name, clock.nowMs() + againInMs);
    return Number.isFinite(againInMs) ? againInMs : undefined;
  }

  function noticeStall(): void {
    if (!heartbeats.noticeStall(tickDueMs)) return;
    tickDueMs = clock.nowMs() + tickMs;
    log.warn('this process stood still; nodes get their time again');
  }

  function tick(): void {
    noticeStall();
    tickDueMs = clock.nowMs() + tickMs;
    cancelTick = clock.after(tickMs, tick);
  }

  /** Selectors of old ask for a node's system and processor by names that nodes no longer give themselves. */
  async function keepOldLabels(node: Node): Promise<Node> {
    const { name = '', labels: given = {} } = node.metadata ?? {};
    const wanted = oldLabels.filter(([old, now]) => given[now] !== undefined && given[old] !== given[now]);
    if (wanted.length === 0) return node;
    const labels = Object.fromEntries(wanted.map(([old, now]) => [old, given[now]!]));
    return client.patch(nodeKind, { name }, { type: 'merge', body: { metadata: { labels } } });
  }

  async function tellSilent(node: Node): Promise<Node> {
    const conditions = silentConditions(node, clock.nowMs());
    if (!conditions) return node;
    const { name } = node.metadata ?? {};
    const told = await client.update(
      nodeKind,
      { ...node, status: { ...node.status, conditions } },
      { subresource: 'status' },
    );
    const message = `Node ${name} status is now: NodeNotReady`;
    events.record(subjectOf(nodeKind, node), 'Normal', 'NodeNotReady', message);
    return told;
  }

  /** Writes the taints that the node should have. Answers after how many ms it may be its turn to lose its pods. */
  async function taint(node: Node): Promise<number> {
    const { name = '' } = node.metadata ?? {};
    let waitMs = Number.POSITIVE_INFINITY;
    let evicts = isLost(node) && !zones.areAllDown;
    if (evicts && !isGivenUp(node)) {
      waitMs = zones.takeTurn(name);
      evicts = waitMs === 0;
    }
    const taints = taintsFor(node, { evicts, nowMs: clock.nowMs() });
    if (taints) await client.update(nodeKind, { ...node, spec: { ...node.spec, taints } });
    return waitMs === 0 ? Number.POSITIVE_INFINITY : waitMs;
  }

  /** When the last node falls silent, or the first one speaks again, the taints of all are other ones. */
  function noticeAllDown(name: string): void {
    if (zones.areAllDown === wereAllDown) return;
    wereAllDown = zones.areAllDown;
    if (wereAllDown) log.warn('no node is ready; no pods are evicted', { silent: silentNodes.size });
    for (const { metadata } of nodes.list()) if (metadata?.name !== name) again.add?.(metadata?.name ?? '');
  }

  /** A dead node cannot say that its pods are gone; Services must stop sending to them at once. */
  async function markPodsNotReady(nodeName: string): Promise<void> {
    const affected = pods.byIndex('node', nodeName).filter((pod) => isPodReady(pod) && !hasPodEnded(pod));
    for (const pod of affected) {
      const condition = {
        type: 'Ready',
        status: 'False',
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

  const again: { add: ((key: string) => void) | undefined } = { add: undefined };
  const running = runController(context, {
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
    // How the zones fare is one state for all.
    concurrency: 1,
  });
  return {
    stop() {
      cancelTick();
      return running.stop();
    },
  };
}

function standingOf(node: Node): Standing {
  if (conditionOf(node, 'Ready') === undefined) return 'unheard';
  return isReady(node) ? 'ready' : 'notReady';
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
}
