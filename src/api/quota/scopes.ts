import type { Pod } from '../kinds/pod.ts';
import type { ResourceQuota, ScopedResourceSelectorRequirement } from '../kinds/resourceQuota.ts';
import type { KubeObject } from '../object.ts';

/** Whether a quota is about the object at all: one with scopes only about pods, and only about those that match. */
export function isInScope(
  { spec }: ResourceQuota,
  kind: { group: string; plural: string },
  object: KubeObject,
): boolean {
  const requirements: ScopedResourceSelectorRequirement[] = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (requirements.length === 0) return true;
  if (kind.plural !== 'pods' || kind.group !== '') return false;
  return requirements.every((requirement) => meets(object as Pod, requirement));
}

function meets(pod: Pod, { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement): boolean {
  const { spec, status } = pod;
  const isTerminating = spec?.activeDeadlineSeconds !== undefined;
  const isBestEffort = status?.qosClass === 'BestEffort';
  switch (scopeName) {
    case 'Terminating':
      return isTerminating;
    case 'NotTerminating':
      return !isTerminating;
    case 'BestEffort':
      return isBestEffort;
    case 'NotBestEffort':
      return !isBestEffort;
    case 'CrossNamespacePodAffinity':
      return reachesOtherNamespaces(pod);
    case 'PriorityClass':
      return isOneOf(spec?.priorityClassName ?? '', operator, values);
    default:
      return false;
  }
}

function isOneOf(value: string, operator: string, values: readonly string[]): boolean {
  if (operator === 'In') return values.includes(value);
  if (operator === 'NotIn') return !values.includes(value);
  return (operator === 'Exists') === (value !== '');
}

function reachesOtherNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const terms = [podAffinity, podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => each.podAffinityTerm),
  ]);
  return terms.some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined);
}
