import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import { matchesLabels } from '../api/label-selector.ts';
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../api/parts/affinity.ts';
import { hasLabels } from './labels.ts';

/** Whether the pod says anything of the nodes that it may go to. */
export function hasNodeRules({ spec }: Pod): boolean {
  const { requiredDuringSchedulingIgnoredDuringExecution: required } = spec?.affinity?.nodeAffinity ?? {};
  return Object.keys(spec?.nodeSelector ?? {}).length > 0 || required !== undefined;
}

/** Whether the node is one that the pod's nodeSelector and required node affinity allow. */
export function matchesNodeAffinity(pod: Pod, node: Node): boolean {
  if (!hasLabels(pod.spec?.nodeSelector ?? {}, node.metadata?.labels)) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || matchesNodeSelector(required, node);
}

/** One of the terms must hold, so a selector without any matches no node. */
export function matchesNodeSelector({ nodeSelectorTerms }: NodeSelector, node: Node): boolean {
  return nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** The weights of the preferred terms that the node meets, added up. */
export function nodePreference(pod: Pod, node: Node): number {
  const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  let total = 0;
  for (const { preference, weight } of preferred) if (matchesTerm(preference, node)) total += weight;
  return total;
}

/** A term's requirements must all hold; a term without any matches no node. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { 'metadata.name': node.metadata?.name ?? '' };
  return (
    matchesLabels(matchExpressions.map(complete), node.metadata?.labels) &&
    matchesLabels(matchFields.map(complete), fields)
  );
}

function complete({ key, operator, values = [] }: NodeSelectorRequirement) {
  return { key, operator, values };
}
