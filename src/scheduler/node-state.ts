import type { Node, Taint } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import { keyOf } from '../client/cache.ts';
import { type HostPort, hostPortsOf } from './host-ports.ts';
import { type AffinityTerms, affinityTermsOf } from './pod-affinity-term.ts';
import { assumedRequests, podRequests, type Resources, resourcesOf } from './pod-resources.ts';
import { isReady, notReadyTaint } from './taints.ts';

const noLabels: Readonly<Record<string, string>> = {};
const noTaints: readonly Taint[] = [];
const notReady: Taint = { key: notReadyTaint, effect: 'NoSchedule' };

/** A pod on a node, with what decisions ask of it again and again. */
export interface PlacedPod {
  readonly key: string;
  readonly pod: Pod;
  readonly priority: number;
  readonly requests: Resources;
  readonly assumed: { cpu: number; memory: number };
  readonly ports: readonly HostPort[];
  /** Absent for the many pods without rules about other pods. */
  readonly affinity: AffinityTerms | undefined;
}

export function placedPod(pod: Pod): PlacedPod {
  return {
    key: keyOf(pod),
    pod,
    priority: pod.spec?.priority ?? 0,
    requests: podRequests(pod),
    assumed: assumedRequests(pod),
    ports: hostPortsOf(pod),
    affinity: affinityTermsOf(pod),
  };
}

/** A node, the pods on it, and their sums, kept change by change. A node that only its pods tell of has no `node`. */
export class NodeState {
  readonly name: string;
  readonly pods = new Map<string, PlacedPod>();
  readonly requested = new Map<string, number>();
  readonly assumed = { cpu: 0, memory: 0 };
  labels: Readonly<Record<string, string>> = noLabels;
  /** With the one that follows from the node not being ready, which may come a moment later. */
  taints: readonly Taint[] = noTaints;
  #node: Node | undefined;
  #allocatable: Resources = new Map();
  #images: ReadonlyMap<string, number> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  get isKnown(): boolean {
    return this.#node !== undefined;
  }

  /** Only of a state that `isKnown`; lists of states hold no others. */
  get node(): Node {
    return this.#node!;
  }

  get allocatable(): Resources {
    return this.#allocatable;
  }

  /** Bytes by each name of each image that is there. */
  get images(): ReadonlyMap<string, number> {
    return this.#images;
  }

  setNode(node: Node | undefined): void {
    const before = this.#node?.status;
    this.#node = node;
    const { allocatable, images } = node?.status ?? {};
    this.labels = node?.metadata?.labels ?? noLabels;
    this.taints = node ? taintsOf(node) : noTaints;
    // Heartbeats write the rest of the status.
    if (!isSameRecord(allocatable, before?.allocatable)) this.#allocatable = resourcesOf(allocatable);
    if (images !== before?.images) this.#images = imageSizes(node);
  }

  add(placed: PlacedPod): void {
    this.pods.set(placed.key, placed);
    this.#count(placed, 1);
  }

  remove(placed: PlacedPod): void {
    if (this.pods.delete(placed.key)) this.#count(placed, -1);
  }

  #count({ requests, assumed }: PlacedPod, by: 1 | -1): void {
    for (const [name, amount] of requests)
      this.requested.set(name, (this.requested.get(name) ?? 0) + by * amount);
    this.assumed.cpu += by * assumed.cpu;
    this.assumed.memory += by * assumed.memory;
  }
}

function taintsOf(node: Node): readonly Taint[] {
  const taints = node.spec?.taints ?? noTaints;
  return isReady(node) ? taints : [...taints, notReady];
}

function imageSizes(node: Node | undefined): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { names = [], sizeBytes = 0 } of node?.status?.images ?? [])
    for (const name of names) sizes.set(name, sizeBytes);
  return sizes;
}

function isSameRecord(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}) {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
