import type { Pod } from '../api/kinds/pod.ts';
import type { PodAffinityTerm } from '../api/parts/affinity.ts';
import type { NodeState, Snapshot } from './cluster-state.ts';
import { matchesSelector } from './labels.ts';

/** Undefined when the node may take the pod, else why not, in the words of kube-scheduler. */
export function podAffinityViolation(pod: Pod, state: NodeState, snapshot: Snapshot): string | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const near = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (near.length > 0 && !meetsAffinity(pod, near, state, snapshot)) {
    return "node(s) didn't match pod affinity rules";
  }
  const far = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (far.some((term) => countInDomain(pod, term, state, snapshot) > 0)) {
    return "node(s) didn't match pod anti-affinity rules";
  }
  if (isRepelled(pod, state, snapshot)) {
    return "node(s) didn't satisfy existing pods anti-affinity rules";
  }
  return undefined;
}

/** The weights of the preferred terms, each times the pods that it finds near the node; anti-affinity counts negative. */
export function podAffinityPreference(pod: Pod, state: NodeState, snapshot: Snapshot): number {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const weigh = (terms: readonly { weight: number; podAffinityTerm: PodAffinityTerm }[] | undefined) =>
    (terms ?? []).reduce(
      (total, { weight, podAffinityTerm }) =>
        total + weight * countInDomain(pod, podAffinityTerm, state, snapshot),
      0,
    );
  return (
    weigh(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution) -
    weigh(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution)
  );
}

function meetsAffinity(
  pod: Pod,
  terms: readonly PodAffinityTerm[],
  state: NodeState,
  snapshot: Snapshot,
): boolean {
  if (terms.some(({ topologyKey }) => domainOf(state, topologyKey) === undefined)) return false;
  if (terms.every((term) => countInDomain(pod, term, state, snapshot) > 0)) return true;
  // The first of pods that want to be near each other has to be allowed somewhere.
  const isFirst = terms.every((term) =>
    snapshot.nodes.every(({ pods }) => ![...pods.values()].some((placed) => isMeant(term, pod, placed.pod))),
  );
  return isFirst && terms.every((term) => isMeant(term, pod, pod));
}

/** Whether a pod that is near already refuses this one. */
function isRepelled(pod: Pod, state: NodeState, snapshot: Snapshot): boolean {
  return snapshot.nodes.some((other) =>
    [...other.pods.values()].some(({ pod: existing }) => {
      const terms =
        existing.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      return terms.some((term) => {
        const domain = domainOf(state, term.topologyKey);
        return (
          domain !== undefined && domain === domainOf(other, term.topologyKey) && isMeant(term, existing, pod)
        );
      });
    }),
  );
}

function countInDomain(pod: Pod, term: PodAffinityTerm, state: NodeState, snapshot: Snapshot): number {
  const domain = domainOf(state, term.topologyKey);
  if (domain === undefined) return 0;
  let count = 0;
  for (const other of snapshot.nodes) {
    if (domainOf(other, term.topologyKey) !== domain) continue;
    for (const placed of other.pods.values()) if (isMeant(term, pod, placed.pod)) count++;
  }
  return count;
}

/** Whether `owner`'s term is about `other`. Namespaces are chosen by name; `namespaceSelector: {}` means all of them. */
function isMeant(term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const { namespaces = [], namespaceSelector, labelSelector } = term;
  const named = namespaces.length > 0 || namespaceSelector ? namespaces : [owner.metadata?.namespace ?? ''];
  const isInNamespace = namespaceSelector !== undefined || named.includes(other.metadata?.namespace ?? '');
  return (
    isInNamespace &&
    !other.metadata?.deletionTimestamp &&
    matchesSelector(labelSelector, other.metadata?.labels)
  );
}

function domainOf({ node }: NodeState, topologyKey: string): string | undefined {
  return node.metadata?.labels?.[topologyKey];
}
