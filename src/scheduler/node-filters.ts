import type { Taint } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { Filter, Refusal } from './filter.ts';
import { hasNodeRules, matchesNodeAffinity } from './node-affinity.ts';
import type { NodeState } from './node-state.ts';
import { podRequests, type Resources } from './pod-resources.ts';
import { findUntolerated } from './taints.ts';

const unschedulable: Refusal = { reasons: ['node(s) were unschedulable'], isFinal: true };
const wrongName: Refusal = { reasons: ["node(s) didn't match the requested node name"], isFinal: true };
const wrongLabels: Refusal = {
  reasons: ["node(s) didn't match Pod's node affinity/selector"],
  isFinal: true,
};
const keepingAway = ['NoSchedule', 'NoExecute'];
const cordon: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export function unschedulableFilter(pod: Pod): Filter {
  const isTolerated = !findUntolerated([cordon], pod.spec?.tolerations ?? [], ['NoSchedule']);
  return {
    plugin: 'NodeUnschedulable',
    check: ({ node }) => (node.spec?.unschedulable && !isTolerated ? unschedulable : undefined),
  };
}

export function nodeNameFilter(pod: Pod): Filter | undefined {
  const wanted = pod.spec?.nodeName;
  if (!wanted) return undefined;
  return { plugin: 'NodeName', check: ({ name }) => (name === wanted ? undefined : wrongName) };
}

export function taintFilter(pod: Pod): Filter {
  const tolerations = pod.spec?.tolerations ?? [];
  return {
    plugin: 'TaintToleration',
    check({ taints }) {
      if (taints.length === 0) return undefined;
      const taint = findUntolerated(taints, tolerations, keepingAway);
      if (!taint) return undefined;
      return {
        reasons: [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`],
        isFinal: true,
      };
    },
  };
}

export function nodeAffinityFilter(pod: Pod): Filter | undefined {
  if (!hasNodeRules(pod)) return undefined;
  return {
    plugin: 'NodeAffinity',
    check: ({ node }) => (matchesNodeAffinity(pod, node) ? undefined : wrongLabels),
  };
}

/** NodeResourcesFit: what is asked for, beside what the pods there have asked for; all that is short is told. */
export function resourcesFilter(pod: Pod): Filter {
  const requests = podRequests(pod);
  return {
    plugin: 'NodeResourcesFit',
    check(state) {
      const reasons = shortages(requests, state);
      return reasons.length > 0 ? { reasons, isFinal: false } : undefined;
    },
  };
}

export function shortages(requests: Resources, { allocatable, requested, pods }: NodeState): string[] {
  const reasons: string[] = [];
  const podsMax = allocatable.get('pods');
  if (podsMax !== undefined && pods.size + 1 > podsMax) reasons.push('Too many pods');
  for (const [name, amount] of requests) {
    if (amount > 0 && amount > (allocatable.get(name) ?? 0) - (requested.get(name) ?? 0))
      reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}
