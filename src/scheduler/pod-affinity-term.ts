import type { Pod } from '../api/kinds/pod.ts';
import { matchesLabels, type Requirement, requirementsOf } from '../api/label-selector.ts';
import type { PodAffinityTerm } from '../api/parts/affinity.ts';

/** The labels of a namespace, for `namespaceSelector`. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

/** A PodAffinityTerm of one pod, prepared to be compared with many others. */
export interface Term {
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  /** Absent: only the named namespaces; without requirements: all. */
  readonly namespaceRequirements: readonly Requirement[] | undefined;
  /** Absent: no pod at all. */
  readonly requirements: readonly Requirement[] | undefined;
  /** 1 for required terms. */
  readonly weight: number;
}

/** A pod's rules about other pods. */
export interface AffinityTerms {
  readonly near: readonly Term[];
  readonly far: readonly Term[];
  readonly preferNear: readonly Term[];
  readonly preferFar: readonly Term[];
}

/** Undefined for a pod without such rules. */
export function affinityTermsOf(pod: Pod): AffinityTerms | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return undefined;
  const required = (terms: readonly PodAffinityTerm[] = []) => terms.map((term) => compile(pod, term, 1));
  const preferred = (terms: readonly { weight: number; podAffinityTerm: PodAffinityTerm }[] = []) =>
    terms.map(({ weight, podAffinityTerm }) => compile(pod, podAffinityTerm, weight));
  return {
    near: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    far: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferNear: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferFar: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

/** Whether the term is about `other`. */
export function isMeant(term: Term, other: Pod, namespaceLabels: NamespaceLabels): boolean {
  const { requirements, namespaces, namespaceRequirements } = term;
  if (!requirements) return false;
  const namespace = other.metadata?.namespace ?? '';
  return (
    (namespaces.has(namespace) || isSelected(namespace, namespaceRequirements, namespaceLabels)) &&
    matchesLabels(requirements, other.metadata?.labels)
  );
}

function isSelected(
  namespace: string,
  requirements: readonly Requirement[] | undefined,
  namespaceLabels: NamespaceLabels,
): boolean {
  if (!requirements) return false;
  return requirements.length === 0 || matchesLabels(requirements, { ...namespaceLabels(namespace) });
}

function compile(pod: Pod, term: PodAffinityTerm, weight: number): Term {
  const { namespaces = [], namespaceSelector, labelSelector, topologyKey } = term;
  const isOwn = namespaces.length === 0 && !namespaceSelector;
  return {
    topologyKey,
    weight,
    namespaces: new Set(isOwn ? [pod.metadata?.namespace ?? ''] : namespaces),
    namespaceRequirements: namespaceSelector && requirementsOf(namespaceSelector),
    requirements: labelSelector && [...requirementsOf(labelSelector), ...ownLabels(pod, term)],
  };
}

/** `matchLabelKeys` and `mismatchLabelKeys`: the pod's own values, wanted or not wanted; keys that it lacks say nothing. */
function ownLabels(
  pod: Pod,
  { matchLabelKeys = [], mismatchLabelKeys = [] }: PodAffinityTerm,
): Requirement[] {
  const labels = pod.metadata?.labels ?? {};
  const about = (keys: readonly string[], operator: 'In' | 'NotIn') =>
    keys
      .filter((key) => Object.hasOwn(labels, key))
      .map((key): Requirement => ({ key, operator, values: [labels[key]!] }));
  return [...about(matchLabelKeys, 'In'), ...about(mismatchLabelKeys, 'NotIn')];
}
