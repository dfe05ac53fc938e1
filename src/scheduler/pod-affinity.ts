import type { Pod } from '../api/kinds/pod.ts';
import type { Cluster } from './cluster-state.ts';
import type { Filter, Refusal } from './filter.ts';
import type { NodeState, PlacedPod } from './node-state.ts';
import { type AffinityTerms, affinityTermsOf, isMeant, type Term } from './pod-affinity-term.ts';
import { TopologyCounts } from './topology-counts.ts';

/** How much another pod's required affinity weighs as a preference of ours (kube-scheduler's hardPodAffinityWeight). */
const requiredWeight = 1;

const tooFar: Refusal = { reasons: ["node(s) didn't match pod affinity rules"], isFinal: true };
const tooNear: Refusal = { reasons: ["node(s) didn't match pod anti-affinity rules"], isFinal: false };
const repelled: Refusal = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  isFinal: false,
};

/** InterPodAffinity: the pod's own required terms, and the anti-affinity of pods that are there already. */
export function podAffinityFilter(pod: Pod, cluster: Cluster): Filter | undefined {
  const own = affinityTermsOf(pod);
  const rules = new AffinityRules(pod, own, cluster);
  rules.countAll();
  if (!own?.near.length && !own?.far.length && rules.isUncontested) return undefined;
  return {
    plugin: 'InterPodAffinity',
    check: (state) => rules.check(state),
    adjust: (placed, state, by) => rules.count(placed, state, by),
  };
}

class AffinityRules {
  #pod: Pod;
  #near: readonly Term[];
  #far: readonly Term[];
  #cluster: Cluster;
  /** Pods that all the pod's affinity terms mean, those that its anti-affinity means, and those whose anti-affinity means it. */
  #wanted = new TopologyCounts();
  #unwanted = new TopologyCounts();
  #refusing = new TopologyCounts();

  constructor(pod: Pod, own: AffinityTerms | undefined, cluster: Cluster) {
    this.#pod = pod;
    this.#near = own?.near ?? [];
    this.#far = own?.far ?? [];
    this.#cluster = cluster;
  }

  get isUncontested(): boolean {
    return this.#refusing.isEmpty;
  }

  countAll(): void {
    for (const [placed, state] of this.#cluster.repelling) this.#countRefusal(placed, state, 1);
    for (const [placed, state] of candidates([...this.#near, ...this.#far], this.#cluster))
      this.#countOwn(placed, state, 1);
  }

  count(placed: PlacedPod, state: NodeState, by: 1 | -1): void {
    this.#countRefusal(placed, state, by);
    this.#countOwn(placed, state, by);
  }

  check({ labels }: NodeState): Refusal | undefined {
    if (!this.#isNear(labels)) return tooFar;
    if (this.#far.some(({ topologyKey }) => this.#unwanted.at(topologyKey, labels[topologyKey]) > 0))
      return tooNear;
    return this.#refusing.touches(labels) ? repelled : undefined;
  }

  #isNear(labels: Readonly<Record<string, string>>): boolean {
    if (this.#near.some(({ topologyKey }) => labels[topologyKey] === undefined)) return false;
    const isThere = ({ topologyKey }: Term) => this.#wanted.at(topologyKey, labels[topologyKey]) > 0;
    if (this.#near.every(isThere)) return true;
    // The first of pods that want to be near each other has to be allowed somewhere.
    return this.#wanted.isEmpty && this.#near.every((term) => this.#means(term, this.#pod));
  }

  #countRefusal(placed: PlacedPod, { labels }: NodeState, by: 1 | -1): void {
    for (const term of placed.affinity?.far ?? [])
      if (this.#means(term, this.#pod)) this.#refusing.add(term.topologyKey, labels[term.topologyKey], by);
  }

  #countOwn({ pod }: PlacedPod, { labels }: NodeState, by: 1 | -1): void {
    if (this.#near.length > 0 && this.#near.every((term) => this.#means(term, pod)))
      for (const { topologyKey } of this.#near) this.#wanted.add(topologyKey, labels[topologyKey], by);
    for (const term of this.#far)
      if (this.#means(term, pod)) this.#unwanted.add(term.topologyKey, labels[term.topologyKey], by);
  }

  #means(term: Term, other: Pod): boolean {
    return isMeant(term, other, this.#cluster.namespaceLabels);
  }
}

/**
 * What the preferences for and against being near others come to on a node: the pod's own, and those of the pods that
 * are there. Undefined when nobody has any.
 */
export function podAffinityScores(pod: Pod, cluster: Cluster): ((state: NodeState) => number) | undefined {
  const own = affinityTermsOf(pod);
  const sums = new TopologyCounts();
  const means = (term: Term, other: Pod) => isMeant(term, other, cluster.namespaceLabels);
  const addFor = (terms: readonly Term[], other: Pod, { labels }: NodeState, sign: number) => {
    for (const term of terms)
      if (means(term, other)) sums.add(term.topologyKey, labels[term.topologyKey], sign * term.weight);
  };
  const preferred = [...(own?.preferNear ?? []), ...(own?.preferFar ?? [])];
  for (const [placed, state] of candidates(preferred, cluster)) {
    addFor(own!.preferNear, placed.pod, state, 1);
    addFor(own!.preferFar, placed.pod, state, -1);
  }
  for (const [{ affinity }, state] of cluster.affine) {
    addFor(affinity!.near, pod, state, requiredWeight);
    addFor(affinity!.preferNear, pod, state, 1);
    addFor(affinity!.preferFar, pod, state, -1);
  }
  return sums.isEmpty ? undefined : (state) => sums.sumAt(state.labels);
}

/** The pods that any of the terms can be about, each once. */
function* candidates(terms: readonly Term[], cluster: Cluster): Iterable<[PlacedPod, NodeState]> {
  if (terms.length === 0) return;
  const selects = terms.some(({ namespaceRequirements }) => namespaceRequirements !== undefined);
  const named = new Set(terms.flatMap(({ namespaces }) => [...namespaces]));
  for (const namespace of selects ? cluster.namespaces() : named) yield* cluster.podsIn(namespace);
}
