import type { Pod } from '../api/kinds/pod.ts';
import { matchesLabels } from '../api/label-selector.ts';
import type { Cluster } from './cluster-state.ts';
import type { NodeState } from './node-state.ts';
import { type Spread, spreadOf } from './topology-spread.ts';
import { hostnameLabel, zoneLabel } from './zones.ts';

/** Where a pod asks for no spreading, pods alike go to different zones and nodes (kube-scheduler's system defaults). */
const defaults = [
  { topologyKey: hostnameLabel, maxSkew: 3 },
  { topologyKey: zoneLabel, maxSkew: 5 },
];

/**
 * PodTopologySpread's score of each candidate, 0 to 100: the fewer pods in its domains, the better. Undefined when the
 * pod is to be spread neither by its own constraints nor by default.
 */
export function spreadScores(
  pod: Pod,
  candidates: readonly NodeState[],
  cluster: Cluster,
): number[] | undefined {
  const own = pod.spec?.topologySpreadConstraints ?? [];
  const spreads =
    own.length > 0
      ? own
          .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway')
          .map((constraint) => spreadOf(pod, constraint))
      : defaultSpreads(pod, cluster);
  if (spreads.length === 0) return undefined;
  // A node outside one of the domains is worst, but by default only where there are such domains at all.
  const needsAllKeys = own.length > 0;
  const isIn = ({ labels }: NodeState) =>
    !needsAllKeys || spreads.every(({ topologyKey }) => topologyKey in labels);
  const scored = candidates.filter(isIn);
  // The default constraints count the same pods, over nodes and over zones.
  const counted = new Map<Spread['counts'], Map<NodeState, number>>();
  const tallies = spreads.map((spread) => {
    const counts = counted.get(spread.counts) ?? countByNode(spread, pod, cluster);
    counted.set(spread.counts, counts);
    return countFor(spread, { scored, isIn, counts });
  });
  const sums = candidates.map((state) =>
    isIn(state) ? Math.round(tallies.reduce((sum, scoreOf) => sum + scoreOf(state), 0)) : undefined,
  );
  return normalize(sums);
}

function defaultSpreads(pod: Pod, cluster: Cluster): Spread[] {
  const requirements = cluster.likeness(pod);
  if (requirements.length === 0) return [];
  const counts = (other: Pod) => matchesLabels(requirements, other.metadata?.labels);
  return defaults.map(({ topologyKey, maxSkew }) => ({
    topologyKey,
    maxSkew,
    minDomains: 1,
    counts,
    isEligible: () => true,
  }));
}

/** How many pods the constraint counts on each node that has any. Those that leave do not count. */
function countByNode({ counts }: Spread, pod: Pod, cluster: Cluster): Map<NodeState, number> {
  const found = new Map<NodeState, number>();
  for (const [placed, state] of cluster.podsIn(pod.metadata?.namespace ?? '')) {
    if (placed.pod.metadata?.deletionTimestamp || !counts(placed.pod)) continue;
    found.set(state, (found.get(state) ?? 0) + 1);
  }
  return found;
}

interface Counting {
  scored: readonly NodeState[];
  isIn: (state: NodeState) => boolean;
  counts: ReadonlyMap<NodeState, number>;
}

/** A key of many domains spreads its pods thinner, so each of them weighs more. */
function countFor(spread: Spread, { scored, isIn, counts }: Counting): (state: NodeState) => number {
  const { topologyKey, maxSkew } = spread;
  const scoreFor = (count: number, weight: number) => count * weight + maxSkew - 1;
  if (topologyKey === hostnameLabel) {
    const weight = Math.log(scored.length + 2);
    return (state) => (topologyKey in state.labels ? scoreFor(counts.get(state) ?? 0, weight) : 0);
  }
  const inDomain = new Map<string, number>();
  for (const { labels } of scored)
    if (labels[topologyKey] !== undefined) inDomain.set(labels[topologyKey], 0);
  for (const [state, count] of counts) {
    const domain = state.labels[topologyKey];
    const before = domain === undefined ? undefined : inDomain.get(domain);
    if (before !== undefined && isIn(state) && spread.isEligible(state))
      inDomain.set(domain!, before + count);
  }
  const weight = Math.log(inDomain.size + 2);
  return ({ labels }) => {
    const domain = labels[topologyKey];
    return domain === undefined ? 0 : scoreFor(inDomain.get(domain) ?? 0, weight);
  };
}

function normalize(sums: readonly (number | undefined)[]): number[] {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const sum of sums) {
    if (sum === undefined) continue;
    least = Math.min(least, sum);
    most = Math.max(most, sum);
  }
  return sums.map((sum) => {
    if (sum === undefined) return 0;
    return most === 0 ? 100 : Math.floor((100 * (most + least - sum)) / most);
  });
}
