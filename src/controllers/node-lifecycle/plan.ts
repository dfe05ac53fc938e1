import { conditionOf, isConditionTrue } from '../../api/conditions.ts';
import type { Node, NodeCondition, Taint } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import { notReadyTaint, tolerates, unreachableTaint } from '../../scheduler/taints.ts';

/** Conditions that a silent node can no longer vouch for. */
const vouched = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
const silentMessage = 'Kubelet stopped posting node status.';
const pressureTaints: Record<string, string> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};
const unschedulableTaint = 'node.kubernetes.io/unschedulable';
/** Taints that follow from a node's conditions; all others are the operators'. */
const managedTaints = new Set([
  notReadyTaint,
  unreachableTaint,
  unschedulableTaint,
  ...Object.values(pressureTaints),
]);

/** How the cluster fares: of silent nodes that are too many it is likelier that we are the ones cut off. */
export function isDisrupted(nodes: number, silent: number): boolean {
  const areAllSilent = nodes > 0 && silent === nodes;
  // Kubernetes' thresholds: more than two nodes, and 55 % of all.
  return areAllSilent || (silent > 2 && silent / nodes >= 0.55);
}

/** The conditions of a node that stopped renewing its Lease; undefined when they say so already. */
export function silentConditions(node: Node, nowMs: number): NodeCondition[] | undefined {
  const conditions = node.status?.conditions ?? [];
  const time = toTime(nowMs);
  let isChanged = false;
  const told = vouched.map((type): NodeCondition => {
    const current = conditions.find((condition) => condition.type === type);
    if (current?.status === 'Unknown') return current;
    isChanged = true;
    return {
      type,
      status: 'Unknown',
      reason: current ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
      message: current ? silentMessage : 'Kubelet never posted node status.',
      lastTransitionTime: time,
      ...(current?.lastHeartbeatTime && { lastHeartbeatTime: current.lastHeartbeatTime }),
    };
  });
  const others = conditions.filter(({ type }) => !vouched.includes(type));
  return isChanged ? [...others, ...told] : undefined;
}

/** The taints that the node should have; undefined when it has them. While evictions are halted none says NoExecute. */
export function taintsFor(node: Node, options: { isHalted: boolean; nowMs: number }): Taint[] | undefined {
  const present = node.spec?.taints ?? [];
  const wanted = wantedTaints(node, options.isHalted);
  const kept = present.filter(
    (taint) => !managedTaints.has(taint.key) || wanted.some((each) => isSameTaint(each, taint)),
  );
  const missing = wanted.filter((taint) => !present.some((each) => isSameTaint(each, taint)));
  if (missing.length === 0 && kept.length === present.length) return undefined;
  return [...kept, ...missing.map((taint) => ({ ...taint, timeAdded: toTime(options.nowMs) }))];
}

function wantedTaints(node: Node, isHalted: boolean): Taint[] {
  const taints: Taint[] = Object.entries(pressureTaints)
    .filter(([type]) => isConditionTrue(node, type))
    .map(([, key]) => ({ key, effect: 'NoSchedule' }));
  if (node.spec?.unschedulable) taints.push({ key: unschedulableTaint, effect: 'NoSchedule' });
  const ready = conditionOf(node, 'Ready')?.status;
  // A node that never reported anything has no pods to lose, and the scheduler passes it over anyway.
  if (ready === 'True' || ready === undefined) return taints;
  const key = ready === 'False' ? notReadyTaint : unreachableTaint;
  taints.push({ key, effect: 'NoSchedule' });
  if (!isHalted) taints.push({ key, effect: 'NoExecute' });
  return taints;
}

/**
 * When a pod has to leave its tainted node, in Unix ms: `-Infinity` for at once, Infinity for never.
 * A pod that says nothing of a dead node may stay for `evictAfterSeconds`.
 */
export function evictionMs(
  pod: Pod,
  node: Node,
  options: { evictAfterSeconds: number; nowMs: number },
): number {
  const tolerations = pod.spec?.tolerations ?? [];
  const due = (node.spec?.taints ?? [])
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => {
      const sinceMs = Date.parse(taint.timeAdded ?? '') || options.nowMs;
      const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
      if (matching.length > 0) {
        const limits = matching.map(({ tolerationSeconds }) => tolerationSeconds ?? Number.POSITIVE_INFINITY);
        return sinceMs + Math.min(...limits) * 1000;
      }
      const isOurs = taint.key === notReadyTaint || taint.key === unreachableTaint;
      return isOurs ? sinceMs + options.evictAfterSeconds * 1000 : Number.NEGATIVE_INFINITY;
    });
  return Math.min(Number.POSITIVE_INFINITY, ...due);
}

function isSameTaint(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect;
}
