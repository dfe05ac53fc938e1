import { isEqualSemantically } from '../../api/equal.ts';
import { type Node, node as nodeKind } from '../../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import { forbidden } from '../failures.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { nodeNameOf } from './node-authorizer.ts';

/** Labels of Kubernetes' own domains that a node may say of itself. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
]);
const ownDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

/**
 * What a node may not say of itself, though it may write its own Node: taints and labels that decide which pods it
 * gets. Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
 */
export const restrictNode: NonNullable<Strategy<Node>['admit']> = (next, previous, user) => {
  const node = nodeNameOf(user);
  if (node === undefined) return;
  const refuse = (why: string) => forbidden(nodeKind, next.metadata!.name!, why);
  const labels = changedLabels(next.metadata?.labels, previous?.metadata?.labels).filter(
    (label) => !mayLabel(label),
  );
  if (labels.length > 0) {
    const what = previous ? 'modify labels' : 'set the following labels';
    throw refuse(`node ${JSON.stringify(node)} is not allowed to ${what}: ${labels.sort().join(', ')}`);
  }
  if (previous && !isEqualSemantically(next.spec?.taints, previous.spec?.taints)) {
    throw refuse(`node ${JSON.stringify(node)} is not allowed to modify taints`);
  }
  const owners = next.metadata?.ownerReferences;
  if (!isEqualSemantically(owners, previous?.metadata?.ownerReferences)) {
    throw refuse(`node ${JSON.stringify(node)} is not allowed to set or modify its ownerReferences`);
  }
};

/** A node reports its pods' status: labels decide which Service they are of, and are not its to write. */
export const restrictPod: NonNullable<Strategy<Pod>['admit']> = (next, previous, user) => {
  const node = nodeNameOf(user);
  if (node === undefined || isEqualSemantically(next.metadata?.labels, previous?.metadata?.labels)) return;
  const why = `node ${JSON.stringify(node)} cannot update labels through pod status`;
  throw forbidden(podKind, next.metadata!.name!, why);
};

type Labels = Record<string, string> | undefined;

function changedLabels(next: Labels = {}, previous: Labels = {}): string[] {
  return [...new Set([...Object.keys(next), ...Object.keys(previous)])].filter(
    (label) => next[label] !== previous[label],
  );
}

/** Any label outside of Kubernetes' domains, and those inside that are for nodes. */
function mayLabel(label: string): boolean {
  const domain = label.includes('/') ? label.split('/')[0]! : '';
  const isWithin = (of: string) => domain === of || domain.endsWith(`.${of}`);
  if (!isWithin('kubernetes.io') && !isWithin('k8s.io')) return true;
  return ownLabels.has(label) || ownDomains.some(isWithin);
}
