import type { LimitRange, LimitRangeItem } from '../../api/kinds/limitRange.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { podLimits, podRequests } from '../../api/quota/pod-resources.ts';
import type { HeldObjects } from '../held-objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './chain.ts';
import { only } from './handles.ts';
import { type Amounts, violations } from './limit-constraints.ts';
import { aggregated, refused } from './refusal.ts';

const isPodWrite = only('pods', 'CREATE');
const isClaimWrite = only('persistentvolumeclaims', 'CREATE', 'UPDATE');

/**
 * Gives containers the defaults of their namespace's LimitRanges, and refuses what is outside of the bounds.
 * Source: https://kubernetes.io/docs/concepts/policy/limit-range/
 */
export function limitRangerPlugin(ranges: HeldObjects<LimitRange>): AdmissionPlugin {
  return {
    name: 'LimitRanger',
    handles: (...write) => isPodWrite(...write) || isClaimWrite(...write),
    isIdle: () => ranges.isEmpty,
    mutate(request) {
      if (request.resource.kind.plural !== 'pods') return;
      for (const range of ranges.in(request.namespace!)) applyDefaults(request.object as Pod, itemsOf(range));
    },
    validate(request) {
      for (const range of ranges.in(request.namespace!)) {
        const wrong = violationsOf(request, itemsOf(range));
        if (wrong.length > 0) throw refused(request, aggregated(wrong));
      }
    },
  };
}

const itemsOf = ({ spec }: LimitRange) => spec?.limits ?? [];

function applyDefaults(pod: Pod, items: readonly LimitRangeItem[]): void {
  const ofContainers = items.filter(({ type }) => type === 'Container');
  const limits: Amounts = Object.assign({}, ...ofContainers.map((item) => item.default));
  const requests: Amounts = Object.assign({}, ...ofContainers.map((item) => item.defaultRequest));
  const set: string[] = [];
  for (const [field, what] of [
    ['containers', 'container'],
    ['initContainers', 'init container'],
  ] as const) {
    for (const container of pod.spec?.[field] ?? []) {
      const resources = container.resources ?? {};
      for (const [kind, given] of [
        ['requests', requests],
        ['limits', limits],
      ] as const) {
        const missing = Object.keys(given).filter((name) => resources[kind]?.[name] === undefined);
        if (missing.length === 0) continue;
        resources[kind] = { ...given, ...resources[kind] };
        container.resources = resources;
        set.push(`${missing.sort().join(', ')} ${kind.slice(0, -1)} for ${what} ${container.name}`);
      }
    }
  }
  if (set.length === 0) return;
  const annotations = { 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${set.join('; ')}` };
  pod.metadata = { ...pod.metadata, annotations: { ...pod.metadata?.annotations, ...annotations } };
}

function violationsOf(request: AdmissionRequest, items: readonly LimitRangeItem[]): string[] {
  return items.flatMap((item) =>
    subjectsOf(request, item.type).flatMap((subject) => violations(item, subject)),
  );
}

/** What an item of this type is about: each container, the pod as a whole, or the claim. */
function subjectsOf(request: AdmissionRequest, type: string): { requests: Amounts; limits: Amounts }[] {
  if (request.resource.kind.plural === 'persistentvolumeclaims') {
    if (type !== 'PersistentVolumeClaim') return [];
    const claim = request.object as PersistentVolumeClaim;
    // A claim's size is what it asks for; it has no limit of its own to look at.
    const requests = claim.spec?.resources?.requests ?? {};
    return [{ requests, limits: requests }];
  }
  const pod = request.object as Pod;
  if (type === 'Pod') return [{ requests: podRequests(pod), limits: podLimits(pod) }];
  if (type !== 'Container') return [];
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].map(({ resources }) => ({
    requests: resources?.requests ?? {},
    limits: resources?.limits ?? {},
  }));
}
