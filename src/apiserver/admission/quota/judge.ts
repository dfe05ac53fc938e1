import type { Pod } from '../../../api/kinds/pod.ts';
import type { ResourceQuota } from '../../../api/kinds/resourceQuota.ts';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  subtractQuantities,
} from '../../../api/quantity.ts';
import { isInScope } from '../../../api/quota/scopes.ts';
import { type Amounts, computeUsage, isNameOf, usageOf } from '../../../api/quota/usage.ts';
import type { AdmissionRequest } from '../chain.ts';
import { refused } from '../refusal.ts';

/** What a write takes beside what its object took before; only what is more than nothing. */
export function takenBy(request: AdmissionRequest, nowMs: number): Amounts {
  const { kind } = request.resource;
  const next = usageOf(kind, request.object!, nowMs);
  const before = request.oldObject ? usageOf(kind, request.oldObject, nowMs) : {};
  const more: Amounts = {};
  for (const [name, amount] of Object.entries(next)) {
    const difference = before[name] === undefined ? amount : subtractQuantities(amount, before[name]);
    if (compareQuantities(difference, 0) > 0) more[name] = difference;
  }
  return more;
}

/**
 * What the write takes of one quota; undefined where the quota is not about it. Throws Forbidden, in Kubernetes'
 * words, where there is not enough left.
 */
export function judge(quota: ResourceQuota, request: AdmissionRequest, taken: Amounts): Amounts | undefined {
  const { kind } = request.resource;
  if (!isInScope(quota, kind, request.object!)) return undefined;
  const { hard = {}, used = {} } = quota.status ?? {};
  const name = quota.metadata!.name!;
  // Before the controller has counted, the spec says what will be limited.
  const limited = Object.keys(quota.status?.hard ?? quota.spec?.hard ?? {}).filter((each) =>
    isNameOf(kind, each),
  );
  if (kind.plural === 'pods' && kind.group === '') {
    const missing = unspecified(request.object as Pod, limited);
    if (missing !== '') throw refused(request, `failed quota: ${name}: must specify ${missing}`);
  }
  if (limited.some((each) => hard[each] === undefined || used[each] === undefined)) {
    throw refused(request, `status unknown for quota: ${name}, resources: ${limited.sort().join(',')}`);
  }
  const requested = Object.fromEntries(Object.entries(taken).filter(([each]) => hard[each] !== undefined));
  const exceeded = Object.keys(requested).filter(
    (each) => compareQuantities(addQuantities(used[each] ?? '0', requested[each]!), hard[each]!) > 0,
  );
  if (exceeded.length > 0) {
    const show = (amounts: Amounts) =>
      [...exceeded]
        .sort()
        .map((each) => `${each}=${canonicalQuantity(amounts[each] ?? '0')}`)
        .join(',');
    throw refused(
      request,
      `exceeded quota: ${name}, requested: ${show(requested)}, used: ${show(used)}, limited: ${show(hard)}`,
    );
  }
  return requested;
}

const specified = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

/** Where cpu or memory is limited every container must say how much it takes. */
function unspecified({ spec }: Pod, limited: readonly string[]): string {
  const required = limited.filter((each) => specified.includes(each)).sort();
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const missing = required.flatMap((each) => {
    const names = containers
      .filter(
        ({ resources }) =>
          computeUsage(resources?.requests ?? {}, resources?.limits ?? {})[each] === undefined,
      )
      .map(({ name }) => name);
    return names.length > 0 ? [`${each} for: ${names.sort().join(',')}`] : [];
  });
  return missing.join('; ');
}
