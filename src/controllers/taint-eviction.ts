import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { toTime } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';
import { evictionMs, hasNoExecute } from './taint-eviction/plan.ts';

export interface TaintEvictionOptions {
  /** How long a pod that says nothing of it stays bound to a lost node; 300 s by default, as in Kubernetes. */
  evictAfterSeconds?: number;
}

/** Deletes pods whose time on a node with a NoExecute taint is over. */
export function run(context: Context, { evictAfterSeconds = 300 }: TaintEvictionOptions = {}): Running {
  const { client, clock, informers } = context;
  const [nodes, pods] = [informers.of(nodeKind), informers.of(podKind)];
  const events = context.recorder('taint-eviction-controller');
  /** Since when pods wait for their end, in Unix ms. */
  const due = new Map<string, number>();

  const keysForNode = (change: Change<Node>): string[] => {
    const had = change.type === 'modified' && hasNoExecute(change.previous);
    return change.type !== 'deleted' && (had || hasNoExecute(change.object))
      ? pods.byIndex('node', change.key).map(keyOf)
      : [];
  };
  const keysForPod = (change: Change<Pod>): string[] => {
    if (change.type === 'deleted') {
      due.delete(change.key);
      return [];
    }
    const node = nodes.get(change.object.spec?.nodeName ?? '');
    return node && hasNoExecute(node) ? [change.key] : [];
  };

  async function reconcile(key: string): Promise<number | undefined> {
    const pod = pods.get(key);
    const node = nodes.get(pod?.spec?.nodeName ?? '');
    if (!pod || !node || pod.metadata?.deletionTimestamp) {
      due.delete(key);
      return undefined;
    }
    const nowMs = clock.nowMs();
    const startMs = due.get(key) ?? nowMs;
    const atMs = evictionMs(pod, node, { evictAfterSeconds, startMs });
    if (atMs === Number.POSITIVE_INFINITY) {
      if (due.delete(key)) tell(pod, `Cancelling deletion of Pod ${key}`);
      return undefined;
    }
    if (atMs > nowMs) {
      due.set(key, startMs);
      return atMs - nowMs;
    }
    due.delete(key);
    tell(pod, `Marking for deletion Pod ${key}`);
    await evict(pod);
    return undefined;
  }

  async function evict(pod: Pod): Promise<void> {
    const { uid = '' } = pod.metadata ?? {};
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: toTime(clock.nowMs()),
    };
    const key = keyOfMeta(pod.metadata ?? {});
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    try {
      await client.patch(podKind, key, { type: 'strategic', body }, { subresource: 'status' });
      await client.delete(podKind, key, { preconditions: { uid } });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  function tell(pod: Pod, message: string): void {
    events.record(subjectOf(podKind, pod), 'Normal', 'TaintManagerEviction', message);
  }

  return runController(context, {
    name: 'taint-eviction',
    sources: [source(nodeKind, keysForNode), source(podKind, keysForPod)],
    reconcile,
  });
}
