import type { NodeState, PlacedPod } from './node-state.ts';

/** kube-scheduler's names of what can refuse a node. */
export type Plugin =
  | 'NodeUnschedulable'
  | 'NodeName'
  | 'TaintToleration'
  | 'NodeAffinity'
  | 'NodePorts'
  | 'NodeResourcesFit'
  | 'VolumeRestrictions'
  | 'VolumeBinding'
  | 'PodTopologySpread'
  | 'InterPodAffinity';

/** Why a node cannot take a pod, in kube-scheduler's words. */
export interface Refusal {
  reasons: readonly string[];
  /** Whether it would be the same if all pods left the node: then preemption cannot help. */
  isFinal: boolean;
}

/** One rule, prepared for one pod. */
export interface Filter {
  plugin: Plugin;
  check(state: NodeState): Refusal | undefined;
  /** Counts a pod on a node in or out, for asking "what if"; the caller takes it back. */
  adjust?(placed: PlacedPod, state: NodeState, by: 1 | -1): void;
}
