import { conditionOf, isConditionTrue } from '../api/conditions.ts';
import type { Pod } from '../api/kinds/pod.ts';
import { hasPodEnded } from '../api/pod-ended.ts';

/** Neither ended nor being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !hasPodEnded(pod) && !pod.metadata?.deletionTimestamp;
}

export function isPodReady(pod: Pod): boolean {
  return isConditionTrue(pod, 'Ready');
}

/** When the pod became ready, in ms; Infinity if it is not. */
export function readySinceMs(pod: Pod): number {
  const condition = conditionOf(pod, 'Ready');
  if (condition?.status !== 'True') return Number.POSITIVE_INFINITY;
  return Date.parse(condition.lastTransitionTime ?? '') || 0;
}

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  return isPodReady(pod) && (minReadySeconds === 0 || readySinceMs(pod) + minReadySeconds * 1000 <= nowMs);
}
