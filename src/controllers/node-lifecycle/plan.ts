import { conditionOf, isConditionTrue } from '../../api/conditions.ts';
import type { Node, NodeCondition, Taint } from '../../api/kinds/node.ts';
import { toTime } from '../../base/clock.ts';
import { notReadyTaint, unreachableTaint } from '../../scheduler/taints.ts';

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

/** Whether the node is one that pods should leave in the end: not ready, or not heard of. */
export function isLost(node: Node): boolean {
  const ready = conditionOf(node, 'Ready')?.status;
  // A node that never reported anything has no pods to lose, and the scheduler passes it over anyway.
  return ready !== undefined && ready !== 'True';
}

/** Whether the node has one of the taints that make its pods leave because it is lost. */
export function isGivenUp({ spec }: Node): boolean {
  return (spec?.taints ?? []).some(
    ({ key, effect }) => effect === 'NoExecute' && (key === notReadyTaint || key === unreachableTaint),
  );
}

/** The taints that the node should have; undefined when it has them. Only with `evicts` may one say NoExecute. */
export function taintsFor(node: Node, options: { evicts: boolean; nowMs: number }): Taint[] | undefined {
  const present = node.spec?.taints ?? [];
  const wanted = wantedTaints(node, options.evicts);
  const kept = present.filter(
    (taint) => !managedTaints.has(taint.key) || wanted.some((each) => isSameTaint(each, taint)),
  );
  const missing = wanted.filter((taint) => !present.some((each) => isSameTaint(each, taint)));
  if (missing.length === 0 && kept.length === present.length) return undefined;
  return [...kept, ...missing.map((taint) => ({ ...taint, timeAdded: toTime(options.nowMs) }))];
}

function wantedTaints(node: Node, evicts: boolean): Taint[] {
  const taints: Taint[] = Object.entries(pressureTaints)
    .filter(([type]) => isConditionTrue(node, type))
    .map(([, key]) => ({ key, effect: 'NoSchedule' }));
  if (node.spec?.unschedulable) taints.push({ key: unschedulableTaint, effect: 'NoSchedule' });
  if (!isLost(node)) return taints;
  const key = conditionOf(node, 'Ready')?.status === 'False' ? notReadyTaint : unreachableTaint;
  taints.push({ key, effect: 'NoSchedule' });
  if (evicts) taints.push({ key, effect: 'NoExecute' });
  return taints;
}

function isSameTaint(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect;
}
