import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import type { PodCondition } from '../api/parts/podStatus.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { toTime } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { isReady } from '../scheduler/taints.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';

/** A node that is deleted may be registering anew; its pods wait this long before they are given up. */
export const quarantineMs = 40_000;
/** Pods that have ended are kept for people to look at; beyond this (as in Kubernetes) the oldest go. */
export const endedPodsMax = 12_500;
/** How long the ended pods may grow beyond that before they are gone through. */
const collectEveryMs = 20_000;
const outOfService = 'node.kubernetes.io/out-of-service';
const endedKey = '<ended>';
const podPrefix = 'pod:';

/** The ended pods that are more than `max`: first those that were evicted, then the oldest. */
export function plan(pods: readonly Pod[], max = endedPodsMax): Pod[] {
  const ended = pods.filter(hasPodEnded);
  if (ended.length <= max) return [];
  const rankOf = ({ metadata, status }: Pod) =>
    `${status?.reason === 'Evicted' ? 0 : 1} ${metadata?.creationTimestamp ?? ''} ${metadata?.name}`;
  return ended.sort((a, b) => (rankOf(a) < rankOf(b) ? -1 : 1)).slice(0, ended.length - max);
}

/** Whether nobody is left who could end a pod that is being deleted: it has no node, or one that is out of service. */
export function isStuck(pod: Pod, node: Node | undefined): boolean {
  if (!pod.metadata?.deletionTimestamp) return false;
  if (!pod.spec?.nodeName) return true;
  const taints = node?.spec?.taints ?? [];
  return node !== undefined && !isReady(node) && taints.some(({ key }) => key === outOfService);
}

/** Removes pods of nodes that are no more, pods that nobody would end, and old pods that have ended. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const [nodes, pods] = [informers.of(nodeKind), informers.of(podKind)];
  const missingSinceMs = new Map<string, number>();
  const ended = new Set<string>();
  let collectedMs = 0;

  async function reconcile(key: string): Promise<number | undefined> {
    if (key === endedKey) return collectEnded();
    if (key.startsWith(podPrefix)) return collectStuck(key.slice(podPrefix.length));
    const left = pods.byIndex('node', key);
    if (nodes.get(key) || left.length === 0) {
      missingSinceMs.delete(key);
      return undefined;
    }
    const sinceMs = missingSinceMs.get(key) ?? clock.nowMs();
    missingSinceMs.set(key, sinceMs);
    const waitMs = sinceMs + quarantineMs - clock.nowMs();
    if (waitMs > 0) return waitMs;
    if (!(await isThere(key))) for (const pod of left) await giveUp(pod, nodeIsGone());
    missingSinceMs.delete(key);
    return undefined;
  }

  async function isThere(nodeName: string): Promise<boolean> {
    try {
      await client.get(nodeKind, { name: nodeName });
      return true;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }

  async function collectEnded(): Promise<number | undefined> {
    const waitMs = collectedMs + collectEveryMs - clock.nowMs();
    if (waitMs > 0) return waitMs;
    collectedMs = clock.nowMs();
    const known = [...ended].map((key) => pods.get(key)).filter((pod) => pod !== undefined);
    for (const pod of plan(known)) await remove(pod);
    return undefined;
  }

  async function collectStuck(key: string): Promise<undefined> {
    const pod = pods.get(key);
    if (pod && isStuck(pod, nodes.get(pod.spec?.nodeName ?? ''))) await giveUp(pod);
  }

  /** What becomes of a pod must be told before it is gone, to the Job for one that it belongs to. */
  async function giveUp(pod: Pod, condition?: PodCondition): Promise<void> {
    if (!hasPodEnded(pod)) {
      const status = { phase: 'Failed', ...(condition && { conditions: [condition] }) };
      const body = { metadata: { uid: pod.metadata?.uid }, status };
      await client
        .patch(podKind, keyOfMeta(pod.metadata ?? {}), { type: 'strategic', body }, { subresource: 'status' })
        .catch(ignoreGone);
    }
    await remove(pod);
  }

  function nodeIsGone(): PodCondition {
    return {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
      lastTransitionTime: toTime(clock.nowMs()),
    };
  }

  /** Without grace: nobody is left who could end it gracefully. */
  async function remove(pod: Pod): Promise<void> {
    const { uid = '' } = pod.metadata ?? {};
    const options = { gracePeriodSeconds: 0, preconditions: { uid } };
    await client.delete(podKind, keyOfMeta(pod.metadata ?? {}), options).catch(ignoreGone);
  }

  const keysForNode = (change: Change<Node>): string[] => {
    if (change.type === 'deleted') return [change.key];
    const isOut = change.object.spec?.taints?.some(({ key }) => key === outOfService);
    return isOut ? pods.byIndex('node', change.key).map((pod) => podPrefix + keyOf(pod)) : [];
  };
  const keysForPod = ({ type, key, object }: Change<Pod>): string[] => {
    if (type === 'deleted' || !hasPodEnded(object)) ended.delete(key);
    else ended.add(key);
    if (type === 'deleted') return [];
    const { nodeName } = object.spec ?? {};
    const node = nodeName ? nodes.get(nodeName) : undefined;
    return [
      ...(nodeName && !node ? [nodeName] : []),
      ...(ended.size > endedPodsMax ? [endedKey] : []),
      ...(isStuck(object, node) ? [podPrefix + key] : []),
    ];
  };
  return runController(context, {
    name: 'pod-garbage',
    sources: [source(nodeKind, keysForNode), source(podKind, keysForPod)],
    reconcile,
    concurrency: 1,
  });
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
}
