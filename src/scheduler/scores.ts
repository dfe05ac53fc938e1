import type { Pod } from '../api/kinds/pod.ts';
import type { NodeState, Snapshot } from './cluster-state.ts';
import { hasLabels } from './labels.ts';
import { nodePreference } from './node-affinity.ts';
import { podAffinityPreference } from './pod-affinity.ts';
import { amountOf, assumedRequests } from './pod-resources.ts';
import { findUntolerated } from './taints.ts';
import { countSpreads, crowding } from './topology-spread.ts';

const zoneLabel = 'topology.kubernetes.io/zone';
/** How much of the default spreading is over zones, the rest is over nodes. */
const zoneShare = 2 / 3;

/** Higher is better; 100 for the best node of each criterion and 0 for the worst, times its weight. */
export function scoreNodes(pod: Pod, candidates: readonly NodeState[], snapshot: Snapshot): number[] {
  const spreads = countSpreads(pod, snapshot, 'ScheduleAnyway');
  const criteria: { weight: number; values: number[] }[] = [
    { weight: 1, values: candidates.map((state) => leastAllocated(pod, state)) },
    { weight: 1, values: candidates.map((state) => balanced(pod, state)) },
    { weight: 1, values: candidates.map((state) => imageShare(pod, state)) },
    { weight: 3, values: lessIsBetter(candidates.map((state) => softTaints(pod, state))) },
    { weight: 2, values: moreIsBetter(candidates.map(({ node }) => nodePreference(pod, node))) },
    { weight: 2, values: moreIsBetter(candidates.map((s) => podAffinityPreference(pod, s, snapshot))) },
    {
      weight: 2,
      values:
        spreads.length > 0
          ? lessIsBetter(candidates.map((state) => crowding(spreads, state)))
          : spreadAlike(pod, candidates, snapshot),
    },
  ];
  return candidates.map((_, index) =>
    criteria.reduce((total, { weight, values }) => total + weight * values[index]!, 0),
  );
}

/** How much would be left free, in percent. */
function leastAllocated(pod: Pod, state: NodeState): number {
  const { cpu, memory } = fractions(pod, state);
  return (100 * (1 - cpu + (1 - memory))) / 2;
}

/** Whether CPU and memory would be used up alike, in percent. */
function balanced(pod: Pod, state: NodeState): number {
  const { cpu, memory } = fractions(pod, state);
  return 100 * (1 - Math.abs(cpu - memory) / 2);
}

function fractions(pod: Pod, { node, pods }: NodeState): { cpu: number; memory: number } {
  const used = { ...assumedRequests(pod) };
  for (const { assumed } of pods.values()) {
    used.cpu += assumed.cpu;
    used.memory += assumed.memory;
  }
  const share = (amount: number, name: string) => {
    const allocatable = amountOf(node.status?.allocatable?.[name]);
    return allocatable > 0 ? Math.min(1, amount / allocatable) : 1;
  };
  return { cpu: share(used.cpu, 'cpu'), memory: share(used.memory, 'memory') };
}

/** How many of the pod's images the node has, in percent: what is there need not cross the link again. */
function imageShare(pod: Pod, { node }: NodeState): number {
  const containers = pod.spec?.containers ?? [];
  const present = new Set((node.status?.images ?? []).flatMap(({ names = [] }) => names));
  const found = containers.filter(({ image }) => image !== undefined && present.has(image)).length;
  return containers.length > 0 ? (100 * found) / containers.length : 0;
}

function softTaints(pod: Pod, { node }: NodeState): number {
  const tolerations = pod.spec?.tolerations ?? [];
  const taints = node.spec?.taints ?? [];
  return taints.filter((taint) => findUntolerated([taint], tolerations, ['PreferNoSchedule'])).length;
}

/** Pods of the same owner or Service go to different zones, and there to different nodes. */
function spreadAlike(pod: Pod, candidates: readonly NodeState[], snapshot: Snapshot): number[] {
  const isAlike = likenessTo(pod, snapshot);
  const countOn = (state: NodeState) =>
    [...state.pods.values()].filter((placed) => isAlike(placed.pod)).length;
  const inZone = new Map<string, number>();
  for (const state of snapshot.nodes) {
    const zone = state.node.metadata?.labels?.[zoneLabel];
    if (zone !== undefined) inZone.set(zone, (inZone.get(zone) ?? 0) + countOn(state));
  }
  const byNode = lessIsBetter(candidates.map(countOn));
  if (inZone.size === 0) return byNode;
  const byZone = lessIsBetter(
    candidates.map(({ node }) => inZone.get(node.metadata?.labels?.[zoneLabel] ?? '') ?? 0),
  );
  return byNode.map((value, index) => value * (1 - zoneShare) + byZone[index]! * zoneShare);
}

function likenessTo(pod: Pod, { services }: Snapshot): (other: Pod) => boolean {
  const { namespace, labels, ownerReferences = [] } = pod.metadata ?? {};
  const owner = ownerReferences.find(({ controller }) => controller)?.uid;
  const selectors = services
    .filter((service) => service.metadata?.namespace === namespace)
    .map((service) => service.spec?.selector ?? {})
    .filter((selector) => Object.keys(selector).length > 0 && hasLabels(selector, labels));
  return ({ metadata }) =>
    metadata?.namespace === namespace &&
    !metadata?.deletionTimestamp &&
    ((owner !== undefined && metadata?.ownerReferences?.some(({ uid }) => uid === owner) === true) ||
      selectors.some((selector) => hasLabels(selector, metadata?.labels)));
}

function moreIsBetter(values: number[]): number[] {
  const least = Math.min(...values);
  const most = Math.max(...values);
  return values.map((value) => (most === least ? 100 : (100 * (value - least)) / (most - least)));
}

function lessIsBetter(values: number[]): number[] {
  const finite = values.filter(Number.isFinite);
  const most = Math.max(0, ...finite);
  return values.map((value) => {
    if (!Number.isFinite(value)) return 0;
    return most === 0 ? 100 : (100 * (most - value)) / most;
  });
}
