import { qualifiedName } from '../names.ts';
import type { Path } from '../path.ts';
import { compareQuantities } from '../quantity.ts';
import type { Report } from '../report.ts';
import { keyedList, map, object, quantity, required, string, type TypeOf } from '../schema.ts';

export const resourceClaim = object('io.k8s.api.core.v1.ResourceClaim', {
  name: required(string()),
  request: string(),
});
export type ResourceClaim = TypeOf<typeof resourceClaim>;

export const resourceRequirements = object(
  'io.k8s.api.core.v1.ResourceRequirements',
  {
    claims: keyedList(['name'], resourceClaim, { mergeKey: undefined }),
    limits: map(quantity(), { doc: 'The most that it may use, e.g. memory: 64Mi.', check: checkAmounts }),
    requests: map(quantity(), {
      doc: 'What the scheduler keeps free for it; limits if absent.',
      check: checkAmounts,
    }),
  },
  {
    doc: 'Compute resources.',
    check({ limits = {}, requests = {} }, at, report) {
      for (const [name, request] of Object.entries(requests)) {
        const limit = limits[name];
        if (limit === undefined || compareQuantities(request, limit) <= 0) continue;
        report.invalid(
          at.child('requests'),
          request,
          `must be less than or equal to ${name} limit of ${limit}`,
        );
      }
    },
  },
);
export type ResourceRequirements = TypeOf<typeof resourceRequirements>;

function checkAmounts(amounts: Record<string, string>, at: Path, report: Report): void {
  for (const [name, amount] of Object.entries(amounts)) {
    for (const wrong of resourceNameErrors(name)) report.invalid(at.key(name), name, wrong);
    if (compareQuantities(amount, 0) < 0) {
      report.invalid(at.key(name), amount, 'must be greater than or equal to 0');
    }
  }
}

function resourceNameErrors(name: string): string[] {
  const wrong = qualifiedName(name);
  if (wrong.length > 0 || name.includes('/')) return wrong;
  const isStandard = ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-');
  return isStandard ? [] : ['must be a standard resource for containers'];
}
