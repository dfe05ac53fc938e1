import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { Requirement } from '../api/label-selector.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { keyOf } from '../client/cache.ts';
import { NodeState, type PlacedPod, placedPod } from './node-state.ts';
import type { NamespaceLabels } from './pod-affinity-term.ts';
import { interleaveZones, zoneOf } from './zones.ts';

/** What a scheduling decision is made from. */
export interface Cluster {
  /** The zones in turn, so that a part of the list is a fair part. */
  readonly nodes: readonly NodeState[];
  node(name: string): NodeState | undefined;
  /** All pods on known nodes, by their namespace. */
  podsIn(namespace: string): Iterable<[PlacedPod, NodeState]>;
  /** Those that have pods on nodes. */
  namespaces(): Iterable<string>;
  /** Pods with any rule about other pods, and those with required anti-affinity. */
  readonly affine: Iterable<[PlacedPod, NodeState]>;
  readonly repelling: Iterable<[PlacedPod, NodeState]>;
  /** Pods that wait for victims to leave this node. */
  nominated(nodeName: string): readonly PlacedPod[];
  /** On how many nodes an image is. */
  nodesWithImage(name: string): number;
  readonly namespaceLabels: NamespaceLabels;
  /** What selects the pods that do the same as this one; empty when there is no such selector. */
  likeness(pod: Pod): readonly Requirement[];
}

type PodNodes = Map<PlacedPod, NodeState>;

/** Nodes and the pods on them, kept up to date change by change; bindings that are under way count already. */
export class ClusterState implements Cluster {
  readonly namespaceLabels: NamespaceLabels;
  readonly likeness: Cluster['likeness'];
  #states = new Map<string, NodeState>();
  #order: NodeState[] | undefined;
  #placed = new Map<string, { placed: PlacedPod; state: NodeState }>();
  #byNamespace = new Map<string, PodNodes>();
  #affine: PodNodes = new Map();
  #repelling: PodNodes = new Map();
  #nominations = new Map<string, { nodeName: string; placed: PlacedPod }>();
  #nominatedTo = new Map<string, PlacedPod[]>();
  #imageNodes = new Map<string, number>();

  constructor(options: Partial<Pick<Cluster, 'namespaceLabels' | 'likeness'>> = {}) {
    this.namespaceLabels = options.namespaceLabels ?? (() => undefined);
    this.likeness = options.likeness ?? (() => []);
  }

  get nodes(): readonly NodeState[] {
    this.#order ??= interleaveZones([...this.#states.values()].filter(({ isKnown }) => isKnown));
    return this.#order;
  }

  get affine(): Iterable<[PlacedPod, NodeState]> {
    return onKnownNodes(this.#affine);
  }

  get repelling(): Iterable<[PlacedPod, NodeState]> {
    return onKnownNodes(this.#repelling);
  }

  node(name: string): NodeState | undefined {
    const state = this.#states.get(name);
    return state?.isKnown ? state : undefined;
  }

  podsIn(namespace: string): Iterable<[PlacedPod, NodeState]> {
    return onKnownNodes(this.#byNamespace.get(namespace) ?? new Map());
  }

  namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }

  nominated(nodeName: string): readonly PlacedPod[] {
    return this.#nominatedTo.get(nodeName) ?? [];
  }

  nodesWithImage(name: string): number {
    return this.#imageNodes.get(name) ?? 0;
  }

  putNode(node: Node): void {
    const state = this.#stateOf(node.metadata?.name ?? '');
    const wasKnown = state.isKnown;
    const zone = zoneOf(state);
    const images = state.images;
    state.setNode(node);
    if (!wasKnown || zoneOf(state) !== zone) this.#order = undefined;
    if (state.images !== images) {
      this.#countImages(images, -1);
      this.#countImages(state.images, 1);
    }
  }

  removeNode(name: string): void {
    const state = this.#states.get(name);
    if (!state) return;
    this.#countImages(state.images, -1);
    state.setNode(undefined);
    this.#order = undefined;
    this.#dropIfEmpty(state);
  }

  /** Takes in a pod; one that has ended, or has no node and is not being bound, holds nothing. */
  putPod(pod: Pod): void {
    const key = keyOf(pod);
    if (hasPodEnded(pod)) this.removePod(key);
    else if (pod.spec?.nodeName) this.#place(pod, pod.spec.nodeName);
  }

  /** Counts a pod on a node before its binding has come back through the watch. */
  assume(pod: Pod, nodeName: string): void {
    this.#place(pod, nodeName);
  }

  removePod(key: string): void {
    this.withdraw(key);
    const found = this.#placed.get(key);
    if (!found) return;
    const { placed, state } = found;
    this.#placed.delete(key);
    state.remove(placed);
    this.#affine.delete(placed);
    this.#repelling.delete(placed);
    const namespace = placed.pod.metadata?.namespace ?? '';
    const alike = this.#byNamespace.get(namespace);
    alike?.delete(placed);
    if (alike?.size === 0) this.#byNamespace.delete(namespace);
    this.#dropIfEmpty(state);
  }

  /** Holds room on a node for a pod that waits there for its victims to leave. */
  nominate(pod: Pod, nodeName: string): void {
    const key = keyOf(pod);
    if (this.#nominations.get(key)?.nodeName === nodeName) return;
    this.withdraw(key);
    const placed = placedPod(pod);
    this.#nominations.set(key, { nodeName, placed });
    this.#nominatedTo.set(nodeName, [...this.nominated(nodeName), placed]);
  }

  withdraw(key: string): void {
    const nomination = this.#nominations.get(key);
    if (!nomination) return;
    this.#nominations.delete(key);
    const others = this.nominated(nomination.nodeName).filter((each) => each.key !== key);
    if (others.length > 0) this.#nominatedTo.set(nomination.nodeName, others);
    else this.#nominatedTo.delete(nomination.nodeName);
  }

  #place(pod: Pod, nodeName: string): void {
    const present = this.#placed.get(keyOf(pod));
    // Of a pod on its node only the status changes as a rule.
    if (present?.state.name === nodeName && isAlike(present.placed.pod, pod)) {
      this.withdraw(present.placed.key);
      return;
    }
    this.removePod(keyOf(pod));
    const placed = placedPod(pod);
    const state = this.#stateOf(nodeName);
    state.add(placed);
    this.#placed.set(placed.key, { placed, state });
    if (placed.affinity) this.#affine.set(placed, state);
    if (placed.affinity?.far.length) this.#repelling.set(placed, state);
    const namespace = pod.metadata?.namespace ?? '';
    const alike = this.#byNamespace.get(namespace) ?? new Map();
    this.#byNamespace.set(namespace, alike.set(placed, state));
  }

  #stateOf(name: string): NodeState {
    const present = this.#states.get(name);
    if (present) return present;
    const state = new NodeState(name);
    this.#states.set(name, state);
    return state;
  }

  #dropIfEmpty(state: NodeState): void {
    if (!state.isKnown && state.pods.size === 0) this.#states.delete(state.name);
  }

  #countImages(images: ReadonlyMap<string, number>, by: 1 | -1): void {
    for (const name of images.keys()) {
      const count = (this.#imageNodes.get(name) ?? 0) + by;
      if (count > 0) this.#imageNodes.set(name, count);
      else this.#imageNodes.delete(name);
    }
  }
}

function* onKnownNodes(pods: PodNodes): Iterable<[PlacedPod, NodeState]> {
  for (const entry of pods) if (entry[1].isKnown) yield entry;
}

/** Whether nothing changed that scheduling looks at: the spec of a placed pod, its labels, that it is being deleted. */
function isAlike(before: Pod, after: Pod): boolean {
  const [a, b] = [before.metadata, after.metadata];
  return (
    a?.uid === b?.uid &&
    a?.generation === b?.generation &&
    a?.deletionTimestamp === b?.deletionTimestamp &&
    before.spec?.nodeName === after.spec?.nodeName &&
    JSON.stringify([a?.labels, before.spec]) === JSON.stringify([b?.labels, after.spec])
  );
}
