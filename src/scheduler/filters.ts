import type { Pod } from '../api/kinds/pod.ts';
import type { Cluster } from './cluster-state.ts';
import type { Filter, Plugin, Refusal } from './filter.ts';
import { hostPortsFilter, hostPortsOf } from './host-ports.ts';
import {
  nodeAffinityFilter,
  nodeNameFilter,
  resourcesFilter,
  taintFilter,
  unschedulableFilter,
} from './node-filters.ts';
import type { NodeState, PlacedPod } from './node-state.ts';
import { podAffinityFilter } from './pod-affinity.ts';
import { topologySpreadFilter } from './topology-spread.ts';

/** All rules for one pod, in kube-scheduler's order; a node is out at the first that refuses it. */
export class Filters {
  readonly pod: Pod;
  #filters: readonly Filter[];
  #cluster: Cluster;

  /** `more` are rules that depend on what the cluster's other objects say, volumes for one. */
  constructor(pod: Pod, cluster: Cluster, more: readonly Filter[] = []) {
    this.pod = pod;
    this.#cluster = cluster;
    const all = [
      unschedulableFilter(pod),
      nodeNameFilter(pod),
      taintFilter(pod),
      nodeAffinityFilter(pod),
      hostPortsFilter(hostPortsOf(pod)),
      resourcesFilter(pod),
      ...more,
      topologySpreadFilter(pod, cluster),
      podAffinityFilter(pod, cluster),
    ];
    this.#filters = all.filter((filter) => filter !== undefined);
  }

  /**
   * Undefined when the node can take the pod, also after those of its rank and above that are nominated to it have come.
   * They may never come, so it must hold without them as well: one of them may be whom the pod wants to be near.
   */
  objection(state: NodeState): (Refusal & { plugin: Plugin }) | undefined {
    const priority = this.pod.spec?.priority ?? 0;
    const uid = this.pod.metadata?.uid;
    const coming = this.#cluster
      .nominated(state.name)
      .filter((each) => each.priority >= priority && each.pod.metadata?.uid !== uid);
    if (coming.length > 0) {
      for (const placed of coming) this.put(placed, state);
      try {
        const refusal = this.#first(state);
        if (refusal) return refusal;
      } finally {
        for (const placed of coming) this.take(placed, state);
      }
    }
    return this.#first(state);
  }

  /** Pretends that a pod is on the node; to be undone with `take` before anything else happens. */
  put(placed: PlacedPod, state: NodeState): void {
    state.add(placed);
    for (const filter of this.#filters) filter.adjust?.(placed, state, 1);
  }

  take(placed: PlacedPod, state: NodeState): void {
    state.remove(placed);
    for (const filter of this.#filters) filter.adjust?.(placed, state, -1);
  }

  #first(state: NodeState): (Refusal & { plugin: Plugin }) | undefined {
    for (const filter of this.#filters) {
      const refusal = filter.check(state);
      if (refusal) return { ...refusal, plugin: filter.plugin };
    }
    return undefined;
  }
}
