import type { Pod } from '../api/kinds/pod.ts';
import type { TopologySpreadConstraint } from '../api/parts/affinity.ts';
import type { NodeState, Snapshot } from './cluster-state.ts';
import { hasLabels, matchesSelector } from './labels.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import { findUntolerated } from './taints.ts';

/** How many pods that a constraint is about stand in each of its domains. */
interface Spread {
  constraint: TopologySpreadConstraint;
  podsIn: Map<string, number>;
  leastPods: number;
  /** 1 if the pod itself is one that the constraint counts. */
  self: 0 | 1;
}

/** Counts the pod's constraints of one sort over the snapshot. */
export function countSpreads(
  pod: Pod,
  snapshot: Snapshot,
  whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway',
): Spread[] {
  const constraints = (pod.spec?.topologySpreadConstraints ?? []).filter(
    (constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable,
  );
  const keys = constraints.map(({ topologyKey }) => topologyKey);
  return constraints.map((constraint) => countSpread(pod, snapshot, constraint, keys));
}

/** Undefined when the node may take the pod, else why not, in the words of kube-scheduler. */
export function spreadViolation(spreads: readonly Spread[], { node }: NodeState): string | undefined {
  for (const { constraint, podsIn, leastPods, self } of spreads) {
    const domain = node.metadata?.labels?.[constraint.topologyKey];
    if (domain === undefined) {
      return "node(s) didn't match pod topology spread constraints (missing required label)";
    }
    if ((podsIn.get(domain) ?? 0) + self - leastPods > constraint.maxSkew) {
      return "node(s) didn't match pod topology spread constraints";
    }
  }
  return undefined;
}

/** How crowded the node's domains are: lower is better. A node outside all domains is worst. */
export function crowding(spreads: readonly Spread[], { node }: NodeState): number {
  let total = 0;
  for (const { constraint, podsIn } of spreads) {
    const domain = node.metadata?.labels?.[constraint.topologyKey];
    if (domain === undefined) return Number.POSITIVE_INFINITY;
    // A key of many domains (hostname) spreads its pods thinner, so each weighs more.
    total += (podsIn.get(domain) ?? 0) * Math.log(podsIn.size + 2);
  }
  return total;
}

function countSpread(
  pod: Pod,
  snapshot: Snapshot,
  constraint: TopologySpreadConstraint,
  keys: readonly string[],
): Spread {
  const isCounted = matcherOf(pod, constraint);
  const podsIn = new Map<string, number>();
  for (const state of snapshot.nodes) {
    if (!isEligible(pod, state, constraint, keys)) continue;
    const domain = state.node.metadata!.labels![constraint.topologyKey]!;
    let count = podsIn.get(domain) ?? 0;
    for (const placed of state.pods.values()) if (isCounted(placed.pod)) count++;
    podsIn.set(domain, count);
  }
  const isShort = podsIn.size < (constraint.minDomains ?? 1);
  const leastPods = isShort ? 0 : Math.min(...podsIn.values());
  return { constraint, podsIn, leastPods, self: isCounted(pod) ? 1 : 0 };
}

function matcherOf(pod: Pod, { labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint) {
  const own = pod.metadata?.labels ?? {};
  const alike = Object.fromEntries(
    matchLabelKeys.filter((key) => Object.hasOwn(own, key)).map((key) => [key, own[key]!]),
  );
  return ({ metadata }: Pod) =>
    metadata?.namespace === pod.metadata?.namespace &&
    !metadata?.deletionTimestamp &&
    matchesSelector(labelSelector, metadata?.labels) &&
    hasLabels(alike, metadata?.labels);
}

function isEligible(
  pod: Pod,
  { node }: NodeState,
  constraint: TopologySpreadConstraint,
  keys: readonly string[],
): boolean {
  const { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint;
  const labels = node.metadata?.labels ?? {};
  if (!keys.every((key) => Object.hasOwn(labels, key))) return false;
  if (nodeAffinityPolicy === 'Honor' && !matchesNodeAffinity(pod, node)) return false;
  const effects = ['NoSchedule', 'NoExecute'];
  return (
    nodeTaintsPolicy === 'Ignore' ||
    !findUntolerated(node.spec?.taints ?? [], pod.spec?.tolerations ?? [], effects)
  );
}
