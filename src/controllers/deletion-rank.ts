import type { Pod } from '../api/kinds/pod.ts';
import { isPodReady, readySinceMs } from './pods.ts';

const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';
const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * Pods in the order in which they are given up: first what serves least and is doubled on its node, then what is
 * newest. https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
 */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[]): Pod[] {
  const relatedOn = new Map<string, number>();
  for (const { spec } of related) {
    if (spec?.nodeName) relatedOn.set(spec.nodeName, (relatedOn.get(spec.nodeName) ?? 0) + 1);
  }
  const neighbours = ({ spec }: Pod) => relatedOn.get(spec?.nodeName ?? '') ?? 0;
  return [...pods].sort(
    (a, b) =>
      Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName)) ||
      phaseOf(a) - phaseOf(b) ||
      Number(isPodReady(a)) - Number(isPodReady(b)) ||
      costOf(a) - costOf(b) ||
      neighbours(b) - neighbours(a) ||
      difference(readySinceMs(b), readySinceMs(a)) ||
      restartsOf(b) - restartsOf(a) ||
      createdMs(b) - createdMs(a) ||
      (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''),
  );
}

function phaseOf({ status }: Pod): number {
  return phaseRank[status?.phase ?? 'Pending'] ?? 0;
}

function costOf({ metadata }: Pod): number {
  const cost = Number(metadata?.annotations?.[costAnnotation] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}

function restartsOf({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

function createdMs({ metadata }: Pod): number {
  return Date.parse(metadata?.creationTimestamp ?? '') || 0;
}

/** `a - b`, where both may be infinite. */
function difference(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
