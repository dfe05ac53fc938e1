import { node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';
import { hasPodEnded } from './pods.ts';

/** A node that is deleted may be registering anew; its pods wait this long before they are given up. */
export const quarantineMs = 40_000;
/** Pods that have ended are kept for people to look at; beyond this the oldest go. */
export const endedPodsMax = 500;
const endedKey = '<ended>';

/** The ended pods that are too many, oldest first. */
export function plan(pods: readonly Pod[]): Pod[] {
  const ended = pods.filter((pod) => hasPodEnded(pod) && !pod.metadata?.deletionTimestamp);
  if (ended.length <= endedPodsMax) return [];
  const createdOf = ({ metadata }: Pod) => metadata?.creationTimestamp ?? '';
  return ended.sort((a, b) => (createdOf(a) < createdOf(b) ? -1 : 1)).slice(0, ended.length - endedPodsMax);
}

/** Removes pods of nodes that are no more, and old pods that have ended. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const [nodes, pods] = [informers.of(nodeKind), informers.of(podKind)];
  const missingSinceMs = new Map<string, number>();

  async function reconcile(key: string): Promise<number | undefined> {
    if (key === endedKey) {
      for (const pod of plan(pods.list())) await remove(pod);
      return undefined;
    }
    const left = pods.byIndex('node', key);
    if (nodes.get(key) || left.length === 0) {
      missingSinceMs.delete(key);
      return undefined;
    }
    const sinceMs = missingSinceMs.get(key) ?? clock.nowMs();
    missingSinceMs.set(key, sinceMs);
    const waitMs = sinceMs + quarantineMs - clock.nowMs();
    if (waitMs > 0) return waitMs;
    const isBack = await client.get(nodeKind, { name: key }).then(
      () => true,
      (error: unknown) => {
        if (isStatus(error, 'NotFound')) return false;
        throw error;
      },
    );
    // Nobody is left who could end them gracefully.
    if (!isBack) for (const pod of left) await remove(pod);
    missingSinceMs.delete(key);
    return undefined;
  }

  async function remove(pod: Pod): Promise<void> {
    const { uid = '' } = pod.metadata ?? {};
    try {
      await client.delete(podKind, keyOfMeta(pod.metadata ?? {}), {
        gracePeriodSeconds: 0,
        preconditions: { uid },
      });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  return runController(context, {
    name: 'pod-garbage',
    sources: [
      source(nodeKind, ({ type, key }) => (type === 'deleted' ? [key] : [])),
      source(podKind, ({ type, object }) => {
        const { nodeName } = object.spec ?? {};
        if (type === 'deleted') return [];
        return [
          ...(nodeName && !nodes.get(nodeName) ? [nodeName] : []),
          ...(hasPodEnded(object) ? [endedKey] : []),
        ];
      }),
    ],
    reconcile,
    concurrency: 1,
  });
}
