import type { Pod } from '../api/kinds/pod.ts';
import type { NodeState, Snapshot } from './cluster-state.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import { podAffinityViolation } from './pod-affinity.ts';
import { amountOf, podRequests, type Resources } from './pod-resources.ts';
import { findUntolerated, isReady, notReadyTaint } from './taints.ts';
import { countSpreads, spreadViolation } from './topology-spread.ts';

/** Why a node cannot take the pod, in kube-scheduler's words; empty when it can. */
export type Filter = (state: NodeState) => string[];

/** The filters for one pod, in kube-scheduler's order; a node is out at the first that objects. */
export function filtersFor(pod: Pod, snapshot: Snapshot): Filter[] {
  const requests = podRequests(pod);
  const spreads = countSpreads(pod, snapshot, 'DoNotSchedule');
  const ports = hostPorts(pod);
  return [
    (state) => one(unschedulable(pod, state)),
    (state) => one(nodeName(pod, state)),
    (state) => one(taints(pod, state)),
    ({ node }) => one(matchesNodeAffinity(pod, node) ? undefined : nodeAffinityReason),
    (state) => one(ports.length > 0 ? portConflict(ports, state) : undefined),
    (state) => resources(requests, state),
    (state) => one(spreadViolation(spreads, state)),
    (state) => one(podAffinityViolation(pod, state, snapshot)),
  ];
}

const nodeAffinityReason = "node(s) didn't match Pod's node affinity/selector";

function one(reason: string | undefined): string[] {
  return reason === undefined ? [] : [reason];
}

function unschedulable(pod: Pod, { node }: NodeState): string | undefined {
  if (!node.spec?.unschedulable) return undefined;
  const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' as const };
  const isTolerated = !findUntolerated([taint], pod.spec?.tolerations ?? [], ['NoSchedule']);
  return isTolerated ? undefined : 'node(s) were unschedulable';
}

function nodeName(pod: Pod, { node }: NodeState): string | undefined {
  const wanted = pod.spec?.nodeName;
  return wanted && wanted !== node.metadata?.name
    ? "node(s) didn't match the requested node name"
    : undefined;
}

function taints(pod: Pod, { node }: NodeState): string | undefined {
  const tolerations = pod.spec?.tolerations ?? [];
  const taint = findUntolerated(node.spec?.taints ?? [], tolerations, ['NoSchedule', 'NoExecute']);
  if (taint) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  if (isReady(node)) return undefined;
  // The taint for this follows from the condition, a moment later.
  const coming = { key: notReadyTaint, effect: 'NoSchedule' as const };
  return findUntolerated([coming], tolerations, ['NoSchedule']) ? 'node(s) were not ready' : undefined;
}

function resources(requests: Resources, { node, pods }: NodeState): string[] {
  const allocatable = node.status?.allocatable ?? {};
  const reasons: string[] = [];
  if (allocatable.pods !== undefined && pods.size + 1 > amountOf(allocatable.pods)) {
    reasons.push('Too many pods');
  }
  for (const [name, amount] of requests) {
    if (amount === 0) continue;
    let used = 0;
    for (const placed of pods.values()) used += placed.requests.get(name) ?? 0;
    // Decimal fractions of cores do not add up exactly in binary.
    const slack = 1e-9 * Math.max(1, amount);
    if (used + amount > amountOf(allocatable[name]) + slack) reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

function hostPorts(pod: Pod): HostPort[] {
  return (pod.spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort)
      .map(({ hostIP, protocol = 'TCP', hostPort }) => ({
        ip: hostIP || '0.0.0.0',
        protocol,
        port: hostPort!,
      })),
  );
}

function portConflict(wanted: readonly HostPort[], { pods }: NodeState): string | undefined {
  const taken = [...pods.values()].flatMap(({ pod }) => hostPorts(pod));
  const isTaken = wanted.some((port) =>
    taken.some(
      (other) =>
        other.port === port.port &&
        other.protocol === port.protocol &&
        (other.ip === port.ip || other.ip === '0.0.0.0' || port.ip === '0.0.0.0'),
    ),
  );
  return isTaken ? "node(s) didn't have free ports for the requested pod ports" : undefined;
}
