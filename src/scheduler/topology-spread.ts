import type { Pod } from '../api/kinds/pod.ts';
import { matchesLabels, type Requirement, requirementsOf } from '../api/label-selector.ts';
import type { TopologySpreadConstraint } from '../api/parts/affinity.ts';
import type { Cluster } from './cluster-state.ts';
import type { Filter, Refusal } from './filter.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import type { NodeState, PlacedPod } from './node-state.ts';
import { findUntolerated } from './taints.ts';

const noDomain: Refusal = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  isFinal: true,
};
const tooSkewed: Refusal = {
  reasons: ["node(s) didn't match pod topology spread constraints"],
  isFinal: false,
};

/** A constraint of one pod, prepared: whom it counts, and where. */
export interface Spread {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  counts(pod: Pod): boolean;
  isEligible(state: NodeState): boolean;
}

export function spreadOf(pod: Pod, constraint: TopologySpreadConstraint): Spread {
  const { topologyKey, maxSkew, minDomains = 1 } = constraint;
  const { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint;
  const requirements = requirementsFor(pod, constraint);
  const tolerations = pod.spec?.tolerations ?? [];
  return {
    topologyKey,
    maxSkew,
    minDomains,
    counts: (other) => requirements !== undefined && matchesLabels(requirements, other.metadata?.labels),
    isEligible: ({ node }) =>
      (nodeAffinityPolicy === 'Ignore' || matchesNodeAffinity(pod, node)) &&
      (nodeTaintsPolicy === 'Ignore' ||
        !findUntolerated(node.spec?.taints ?? [], tolerations, ['NoSchedule', 'NoExecute'])),
  };
}

/** PodTopologySpread: the constraints that say DoNotSchedule. */
export function topologySpreadFilter(pod: Pod, cluster: Cluster): Filter | undefined {
  const constraints = (pod.spec?.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule',
  );
  if (constraints.length === 0) return undefined;
  const spreads = constraints.map((constraint) => spreadOf(pod, constraint));
  const tallies = spreads.map((spread) => new Tally(spread, pod));
  const hasAllKeys = ({ labels }: NodeState) => spreads.every(({ topologyKey }) => topologyKey in labels);
  const pods = podsByNode(pod, cluster);
  for (const state of cluster.nodes)
    if (hasAllKeys(state)) for (const tally of tallies) tally.open(state, pods.get(state) ?? []);
  return {
    plugin: 'PodTopologySpread',
    check(state) {
      for (const tally of tallies) {
        const refusal = tally.check(state);
        if (refusal) return refusal;
      }
      return undefined;
    },
    adjust(placed, state, by) {
      if (!isInNamespaceOf(pod, placed.pod) || !hasAllKeys(state)) return;
      for (const tally of tallies) tally.adjust(placed, state, by);
    },
  };
}

/** How many pods that one constraint counts stand in each of its domains. */
class Tally {
  #spread: Spread;
  #self: 0 | 1;
  #domains = new Map<string, number>();
  #least: number | undefined;

  constructor(spread: Spread, pod: Pod) {
    this.#spread = spread;
    this.#self = spread.counts(pod) ? 1 : 0;
  }

  open(state: NodeState, pods: readonly PlacedPod[]): void {
    if (!this.#spread.isEligible(state)) return;
    const domain = state.labels[this.#spread.topologyKey]!;
    const counted = pods.filter(({ pod }) => this.#spread.counts(pod)).length;
    this.#domains.set(domain, (this.#domains.get(domain) ?? 0) + counted);
    this.#least = undefined;
  }

  adjust({ pod }: PlacedPod, state: NodeState, by: 1 | -1): void {
    const domain = state.labels[this.#spread.topologyKey]!;
    const count = this.#domains.get(domain);
    if (count === undefined || pod.metadata?.deletionTimestamp) return;
    if (!this.#spread.counts(pod) || !this.#spread.isEligible(state)) return;
    this.#domains.set(domain, count + by);
    this.#least = undefined;
  }

  check({ labels }: NodeState): Refusal | undefined {
    const domain = labels[this.#spread.topologyKey];
    if (domain === undefined) return noDomain;
    const skew = (this.#domains.get(domain) ?? 0) + this.#self - this.#leastPods();
    return skew > this.#spread.maxSkew ? tooSkewed : undefined;
  }

  /** While there are fewer domains than there should be, one without pods is taken to be missing. */
  #leastPods(): number {
    if (this.#domains.size < this.#spread.minDomains) return 0;
    if (this.#least === undefined) {
      this.#least = Number.POSITIVE_INFINITY;
      for (const count of this.#domains.values()) this.#least = Math.min(this.#least, count);
      if (this.#domains.size === 0) this.#least = 0;
    }
    return this.#least;
  }
}

/** The pods of the pod's namespace that stay, by the node that they are on. */
export function podsByNode(pod: Pod, cluster: Cluster): Map<NodeState, PlacedPod[]> {
  const found = new Map<NodeState, PlacedPod[]>();
  for (const [placed, state] of cluster.podsIn(pod.metadata?.namespace ?? '')) {
    if (placed.pod.metadata?.deletionTimestamp) continue;
    const list = found.get(state);
    if (list) list.push(placed);
    else found.set(state, [placed]);
  }
  return found;
}

function isInNamespaceOf(pod: Pod, other: Pod): boolean {
  return pod.metadata?.namespace === other.metadata?.namespace;
}

/** Undefined without a selector: such a constraint counts nobody. */
function requirementsFor(
  pod: Pod,
  { labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint,
): Requirement[] | undefined {
  if (!labelSelector) return undefined;
  const own = pod.metadata?.labels ?? {};
  const alike = matchLabelKeys
    .filter((key) => Object.hasOwn(own, key))
    .map((key): Requirement => ({ key, operator: 'In', values: [own[key]!] }));
  return [...requirementsOf(labelSelector), ...alike];
}
