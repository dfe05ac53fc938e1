import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { Change } from '../client/cache.ts';
import type { Plugin } from './filter.ts';
import { hostPortsOf, portsCollide } from './host-ports.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import { affinityTermsOf, isMeant, type NamespaceLabels, type Term } from './pod-affinity-term.ts';
import { podRequests, resourcesOf } from './pod-resources.ts';
import { findUntolerated, isReady } from './taints.ts';
import { spreadOf } from './topology-spread.ts';

/** Something that happened and may let a waiting pod through. */
export type ClusterEvent =
  | { about: 'node'; change: Change<Node> }
  /** `placed`: came to a node; `changed`: its labels did; `gone`: deleted or ended. */
  | { about: 'pod'; what: 'placed' | 'changed' | 'gone'; pod: Pod; namespaceLabels: NamespaceLabels }
  /** Claims, volumes, storage classes. */
  | { about: 'volume' };

/** Whether the event may make any of the rules that refused the pod accept it (kube-scheduler's queueing hints). */
export function mayHelp(plugins: ReadonlySet<Plugin>, pod: Pod, event: ClusterEvent): boolean {
  // It was refused for want of nodes.
  if (plugins.size === 0) return event.about === 'node' && event.change.type === 'added';
  for (const plugin of plugins) if (hints[plugin](pod, event)) return true;
  return false;
}

type Hint = (pod: Pod, event: ClusterEvent) => boolean;

const hints: Record<Plugin, Hint> = {
  NodeUnschedulable: (_, event) => node(event, ({ spec }) => !spec?.unschedulable),
  NodeName: (pod, event) => node(event, ({ metadata }) => metadata?.name === pod.spec?.nodeName),
  TaintToleration: (pod, event) => node(event, (each) => isTolerated(pod, each)),
  NodeAffinity: (pod, event) => node(event, (each) => matchesNodeAffinity(pod, each)),
  NodeResourcesFit(pod, event) {
    if (event.about === 'pod') return event.what === 'gone';
    return event.about === 'node' && hasRoom(pod, event.change);
  },
  NodePorts(pod, event) {
    if (event.about === 'pod')
      return event.what === 'gone' && portsCollide(hostPortsOf(pod), hostPortsOf(event.pod));
    return isNewNode(event);
  },
  PodTopologySpread(pod, event) {
    const constraints = pod.spec?.topologySpreadConstraints ?? [];
    if (event.about === 'pod') {
      if (event.pod.metadata?.namespace !== pod.metadata?.namespace) return false;
      // A changed label counts whether it matches before or after.
      return event.what === 'changed' || constraints.some((each) => spreadOf(pod, each).counts(event.pod));
    }
    return event.about === 'node' && changesTopology(event.change);
  },
  InterPodAffinity(pod, event) {
    if (event.about === 'node') return changesTopology(event.change);
    return event.about === 'pod' && concerns(pod, event);
  },
  VolumeRestrictions: (_, event) =>
    event.about === 'volume' || (event.about === 'pod' && event.what === 'gone'),
  VolumeBinding: (_, event) =>
    event.about === 'volume' || (event.about === 'node' && changesTopology(event.change)),
};

/** A node that is as wanted now, and was not before. */
function node(event: ClusterEvent, isWanted: (node: Node) => boolean): boolean {
  if (event.about !== 'node' || event.change.type === 'deleted' || !isWanted(event.change.object))
    return false;
  return event.change.type === 'added' || !isWanted(event.change.previous);
}

function isNewNode(event: ClusterEvent): boolean {
  return event.about === 'node' && event.change.type === 'added';
}

function isTolerated(pod: Pod, each: Node): boolean {
  const taints = each.spec?.taints ?? [];
  return isReady(each) && !findUntolerated(taints, pod.spec?.tolerations ?? [], ['NoSchedule', 'NoExecute']);
}

function hasRoom(pod: Pod, change: Change<Node>): boolean {
  if (change.type === 'deleted') return false;
  const { allocatable } = change.object.status ?? {};
  const isSame =
    change.type === 'modified' &&
    JSON.stringify(allocatable) === JSON.stringify(change.previous.status?.allocatable);
  if (isSame) return false;
  const amounts = resourcesOf(allocatable);
  return [...podRequests(pod)].every(([name, amount]) => amount <= (amounts.get(name) ?? 0));
}

/** A node came or went, or other labels put it elsewhere. */
function changesTopology(change: Change<Node>): boolean {
  if (change.type !== 'modified') return true;
  return (
    JSON.stringify(change.object.metadata?.labels) !== JSON.stringify(change.previous.metadata?.labels) ||
    JSON.stringify(change.object.spec?.taints) !== JSON.stringify(change.previous.spec?.taints)
  );
}

/** Whether one of the pods has a rule about the other. */
function concerns(pod: Pod, event: ClusterEvent & { about: 'pod' }): boolean {
  if (event.what === 'changed') return true;
  const means = (terms: readonly Term[] | undefined, other: Pod) =>
    (terms ?? []).some((term) => isMeant(term, other, event.namespaceLabels));
  const own = affinityTermsOf(pod);
  if (event.what === 'placed') return means(own?.near, event.pod);
  return means(own?.far, event.pod) || means(affinityTermsOf(event.pod)?.far, pod);
}
