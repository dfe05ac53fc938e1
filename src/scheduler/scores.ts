import type { Pod } from '../api/kinds/pod.ts';
import type { Cluster } from './cluster-state.ts';
import { nodePreference } from './node-affinity.ts';
import type { NodeState } from './node-state.ts';
import { podAffinityScores } from './pod-affinity.ts';
import { assumedRequests, podRequests } from './pod-resources.ts';
import { spreadScores } from './spread-scores.ts';
import { findUntolerated } from './taints.ts';

const MiB = 1024 * 1024;
/** An image below the first saves no time worth mentioning, one above the second (a container) all of it. */
const imageBytesMin = 23 * MiB;
const imageBytesMax = 1000 * MiB;

/** Each candidate's score, higher is better: 0 to 100 for each criterion, times kube-scheduler's weight for it. */
export function scoreNodes(pod: Pod, candidates: readonly NodeState[], cluster: Cluster): number[] {
  const totals = candidates.map(() => 0);
  const add = (weight: number, values: readonly number[] | undefined) => {
    if (values) for (const [index, value] of values.entries()) totals[index]! += weight * value;
  };
  add(1, leastAllocated(pod, candidates));
  add(1, balanced(pod, candidates));
  add(1, imageLocality(pod, candidates, cluster));
  add(3, fewestSoftTaints(pod, candidates));
  add(2, preferredNodes(pod, candidates));
  add(2, preferredNeighbours(pod, candidates, cluster));
  add(2, spreadScores(pod, candidates, cluster));
  return totals;
}

/** How much of CPU and memory would be left free, in percent. */
function leastAllocated(pod: Pod, candidates: readonly NodeState[]): number[] {
  const asked = assumedRequests(pod);
  const free = (allocatable = 0, used: number) =>
    used > allocatable ? 0 : Math.floor((100 * (allocatable - used)) / allocatable);
  return candidates.map(({ allocatable, assumed }) => {
    const shares = (['cpu', 'memory'] as const)
      .filter((name) => (allocatable.get(name) ?? 0) > 0)
      .map((name) => free(allocatable.get(name), assumed[name] + asked[name]));
    if (shares.length === 0) return 0;
    return Math.floor(shares.reduce((sum, share) => sum + share, 0) / shares.length);
  });
}

/** Whether CPU and memory would be used up alike, in percent. */
function balanced(pod: Pod, candidates: readonly NodeState[]): number[] | undefined {
  const requests = podRequests(pod);
  if (!requests.get('cpu') && !requests.get('memory')) return undefined;
  return candidates.map(({ allocatable, requested }) => {
    const fractions = ['cpu', 'memory']
      .filter((name) => (allocatable.get(name) ?? 0) > 0)
      .map((name) =>
        Math.min(1, ((requested.get(name) ?? 0) + (requests.get(name) ?? 0)) / (allocatable.get(name) ?? 1)),
      );
    const deviation = fractions.length < 2 ? 0 : Math.abs(fractions[0]! - fractions[1]!) / 2;
    return Math.floor(100 * (1 - deviation));
  });
}

/** How much of the pod's images is there; one that few nodes have counts less, lest they get all such pods. */
function imageLocality(pod: Pod, candidates: readonly NodeState[], cluster: Cluster): number[] | undefined {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const names = containers.map(({ image = '' }) => withTag(image));
  const spreads = names.map((name) => cluster.nodesWithImage(name) / cluster.nodes.length);
  if (!spreads.some((spread) => spread > 0)) return undefined;
  const bytesMax = imageBytesMax * containers.length;
  return candidates.map(({ images }) => {
    let bytes = 0;
    for (const [index, name] of names.entries())
      bytes += Math.floor((images.get(name) ?? 0) * spreads[index]!);
    const bounded = Math.max(imageBytesMin, Math.min(bytes, bytesMax));
    return Math.floor((100 * (bounded - imageBytesMin)) / (bytesMax - imageBytesMin));
  });
}

/** Nodes name their images with a tag. */
function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;
}

function fewestSoftTaints(pod: Pod, candidates: readonly NodeState[]): number[] | undefined {
  const tolerations = pod.spec?.tolerations ?? [];
  const counts = candidates.map(({ node }) => {
    let count = 0;
    for (const taint of node.spec?.taints ?? [])
      if (findUntolerated([taint], tolerations, ['PreferNoSchedule'])) count++;
    return count;
  });
  const most = maxOf(counts);
  return most === 0 ? undefined : counts.map((count) => 100 - Math.floor((100 * count) / most));
}

function preferredNodes(pod: Pod, candidates: readonly NodeState[]): number[] | undefined {
  if (!pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution) return undefined;
  const weights = candidates.map(({ node }) => nodePreference(pod, node));
  const most = maxOf(weights);
  return most === 0 ? undefined : weights.map((weight) => Math.floor((100 * weight) / most));
}

function preferredNeighbours(
  pod: Pod,
  candidates: readonly NodeState[],
  cluster: Cluster,
): number[] | undefined {
  const scoreOf = podAffinityScores(pod, cluster);
  if (!scoreOf) return undefined;
  const sums = candidates.map(scoreOf);
  const least = sums.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const range = sums.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) - least;
  return range === 0 ? undefined : sums.map((sum) => Math.floor((100 * (sum - least)) / range));
}

function maxOf(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0);
}
