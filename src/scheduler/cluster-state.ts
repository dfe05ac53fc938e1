import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { Service } from '../api/kinds/service.ts';
import { keyOf } from '../client/cache.ts';
import { assumedRequests, podRequests, type Resources } from './pod-resources.ts';

/** A pod on a node, with what comparing nodes asks of it again and again. */
export interface PlacedPod {
  pod: Pod;
  requests: Resources;
  assumed: { cpu: number; memory: number };
}

export interface NodeState {
  readonly node: Node;
  readonly pods: ReadonlyMap<string, PlacedPod>;
}

/** What a scheduling decision is made from. */
export interface Snapshot {
  nodes: readonly NodeState[];
  services: readonly Service[];
}

/** Nodes and the pods on them, kept up to date change by change; bindings that are under way count already. */
export class ClusterState {
  #nodes = new Map<string, Node>();
  /** By node name. Pods may be heard of before their node is. */
  #pods = new Map<string, Map<string, PlacedPod>>();
  /** Where a pod is counted, by the pod's key. */
  #placements = new Map<string, string>();
  #services: () => readonly Service[];

  constructor(services: () => readonly Service[] = () => []) {
    this.#services = services;
  }

  putNode(node: Node): void {
    this.#nodes.set(node.metadata?.name ?? '', node);
  }

  removeNode(name: string): void {
    this.#nodes.delete(name);
  }

  /** Takes in a pod; one that has ended, or has no node and is not being bound, holds nothing. */
  putPod(pod: Pod): void {
    const key = keyOf(pod);
    const hasEnded = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (hasEnded) this.removePod(key);
    else if (pod.spec?.nodeName) this.#place(key, pod, pod.spec.nodeName);
  }

  /** Counts a pod on a node before its binding has come back through the watch. */
  assume(pod: Pod, nodeName: string): void {
    this.#place(keyOf(pod), pod, nodeName);
  }

  removePod(key: string): void {
    const nodeName = this.#placements.get(key);
    if (nodeName === undefined) return;
    this.#placements.delete(key);
    const pods = this.#pods.get(nodeName);
    pods?.delete(key);
    if (pods?.size === 0) this.#pods.delete(nodeName);
  }

  snapshot(): Snapshot {
    const nodes = [...this.#nodes.values()].map((node) => ({
      node,
      pods: this.#pods.get(node.metadata?.name ?? '') ?? new Map<string, PlacedPod>(),
    }));
    return { nodes, services: this.#services() };
  }

  #place(key: string, pod: Pod, nodeName: string): void {
    this.removePod(key);
    this.#placements.set(key, nodeName);
    let pods = this.#pods.get(nodeName);
    if (!pods) {
      pods = new Map();
      this.#pods.set(nodeName, pods);
    }
    pods.set(key, { pod, requests: podRequests(pod), assumed: assumedRequests(pod) });
  }
}
