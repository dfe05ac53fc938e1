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
  return candidates.map(({ allocatable, assumed }) => {
    const cpu = freeShare(allocatable.get('cpu'), assumed.cpu + asked.cpu);
    const memory = freeShare(allocatable.get('memory'), assumed.memory + asked.memory);
    // What a node says nothing of is not compared.
    if (cpu === undefined || memory === undefined) return cpu ?? memory ?? 0;
    return Math.floor((cpu + memory) / 2);
  });
}

function freeShare(allocatable: number | undefined, used: number): number | undefined {
  if (!allocatable) return undefined;
  return used > allocatable ? 0 : Math.floor((100 * (allocatable - used)) / allocatable);
}

/** Whether CPU and memory would be used up alike, in percent. */
function balanced(pod: Pod, candidates: readonly NodeState[]): number[] | undefined {
  const requests = podRequests(pod);
  const [cpu, memory] = [requests.get('cpu') ?? 0, requests.get('memory') ?? 0];
  if (cpu === 0 && memory === 0) return undefined;
  return candidates.map(({ allocatable, requested }) => {
    const cpuShare = usedShare(allocatable.get('cpu'), (requested.get('cpu') ?? 0) + cpu);
    const memoryShare = usedShare(allocatable.get('memory'), (requested.get('memory') ?? 0) + memory);
    if (cpuShare === undefined || memoryShare === undefined) return 100;
    return Math.floor(100 * (1 - Math.abs(cpuShare - memoryShare) / 2));
  });
}

function usedShare(allocatable: number | undefined, used: number): number | undefined {
  return allocatable ? Math.min(1, used / allocatable) : undefined;
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
  const counts = candidates.map(({ taints }) => {
    let count = 0;
    for (const taint of taints) if (findUntolerated([taint], tolerations, ['PreferNoSchedule'])) count++;
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
