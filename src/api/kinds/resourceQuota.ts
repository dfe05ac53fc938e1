import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { qualifiedName } from '../names.ts';
import type { Path } from '../path.ts';
import { compareQuantities, parseQuantity } from '../quantity.ts';
import { GoText, goQuoted, type Report } from '../report.ts';
import { list, map, object, quantity, required, string, type TypeOf } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const quotaScopes = [
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
] as const;

export const scopedResourceSelectorRequirement = object(
  'io.k8s.api.core.v1.ScopedResourceSelectorRequirement',
  {
    operator: required(string({ doc: 'In, NotIn, Exists or DoesNotExist.' })),
    scopeName: required(string({ doc: 'The scope.' })),
    values: list(string(), { doc: 'What In and NotIn compare with.' }),
  },
);
export type ScopedResourceSelectorRequirement = TypeOf<typeof scopedResourceSelectorRequirement>;

export const scopeSelector = object(
  'io.k8s.api.core.v1.ScopeSelector',
  { matchExpressions: list(scopedResourceSelectorRequirement, { doc: 'All must hold.' }) },
  { listType: 'atomic' },
);

export const resourceQuotaSpec = object(
  'io.k8s.api.core.v1.ResourceQuotaSpec',
  {
    hard: map(quantity(), { doc: 'How much there may be of each resource.', check: checkAmounts }),
    scopeSelector,
    scopes: list(string(), { doc: 'Which objects count; all must hold.' }),
  },
  { check: checkSpec },
);
export type ResourceQuotaSpec = TypeOf<typeof resourceQuotaSpec>;

interface Checked {
  hard?: Record<string, string>;
  scopes?: string[];
  scopeSelector?: { matchExpressions?: ScopedResourceSelectorRequirement[] };
}

const schema = kindSchema(
  'io.k8s.api.core.v1.ResourceQuota',
  { apiVersion: 'v1', kind: 'ResourceQuota' },
  {
    spec: resourceQuotaSpec,
    status: object('io.k8s.api.core.v1.ResourceQuotaStatus', {
      hard: map(quantity(), { doc: 'The limits that are enforced.' }),
      used: map(quantity(), { doc: 'What there is now.' }),
    }),
  },
  'ResourceQuota limits what there may be in its namespace.',
);

export interface ResourceQuota extends ObjectOf<typeof schema> {}

export const resourceQuota = defineKind<ResourceQuota>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  namespaced: true,
  countsGenerations: false,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    ageColumn,
    { name: 'Request', doc: 'Used and allowed, beside limits.', value: (quota) => shares(quota, false) },
    { name: 'Limit', doc: 'Used and allowed limits.', value: (quota) => shares(quota, true) },
  ],
  checkUpdate(next, previous, report, root) {
    const [scopes, before] = [next.spec?.scopes ?? [], previous.spec?.scopes ?? []];
    if (isEqualSemantically([...scopes].sort(), [...before].sort())) return;
    report.invalid(root.child('spec').child('scopes'), scopes, 'field is immutable');
  },
});

function shares({ status }: ResourceQuota, ofLimits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .sort()
    .filter((name) => name.startsWith('limits.') === ofLimits)
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
    .join(', ');
}

const countable = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const compute = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
const standard = [
  ...countable,
  ...compute,
  'ephemeral-storage',
  'requests.ephemeral-storage',
  'limits.ephemeral-storage',
  'requests.storage',
];

function nameErrors(name: string): string[] {
  const wrong = qualifiedName(name);
  if (wrong.length > 0 || name.includes('/')) return wrong;
  const isHuge = name.startsWith('hugepages-') || name.startsWith('requests.hugepages-');
  return standard.includes(name) || isHuge ? [] : ['must be a standard resource for quota'];
}

function checkAmounts(hard: Record<string, string>, at: Path, report: Report): void {
  for (const [name, amount] of Object.entries(hard)) {
    for (const wrong of nameErrors(name)) report.invalid(at.key(name), name, wrong);
    if (compareQuantities(amount, 0) < 0) {
      report.invalid(at.key(name), amount, 'must be greater than or equal to 0');
    }
    if (countable.includes(name) && parseQuantity(amount).nanos % 1_000_000_000n !== 0n) {
      report.invalid(at.key(name), amount, 'must be an integer');
    }
  }
}

function checkSpec({ hard = {}, scopes, scopeSelector: selector }: Checked, at: Path, report: Report): void {
  const resources = Object.keys(hard);
  if (scopes?.length) checkScopes(scopes, resources, at.child('scopes'), report);
  for (const [index, requirement] of (selector?.matchExpressions ?? []).entries()) {
    checkRequirement(requirement, at.child('scopeSelector').child('matchExpressions').index(index), report);
  }
  const named = (selector?.matchExpressions ?? []).map(({ scopeName }) => scopeName);
  checkTogether(named, resources, at.child('scopeSelector').child('matchExpressions'), report);
}

function checkScopes(scopes: string[], resources: string[], at: Path, report: Report): void {
  for (const scope of scopes) {
    if (!isScope(scope)) report.invalid(at, goScopes(scopes), 'unsupported scope');
  }
  checkTogether(scopes, resources, at, report);
}

const goScopes = (scopes: string[]) =>
  new GoText(`[]core.ResourceQuotaScope{${scopes.map(goQuoted).join(', ')}}`);

const isScope = (scope: string) => quotaScopes.some((known) => known === scope);

function checkTogether(scopes: string[], resources: string[], at: Path, report: Report): void {
  for (const scope of scopes.filter(isScope)) {
    const allowed = scope === 'BestEffort' ? ['pods'] : ['pods', ...compute];
    if (resources.some((name) => standard.includes(name) && !allowed.includes(name))) {
      report.invalid(at, goScopes(scopes), 'unsupported scope applied to resource');
    }
  }
  for (const [a, b] of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ] as const) {
    if (scopes.includes(a) && scopes.includes(b)) report.invalid(at, goScopes(scopes), 'conflicting scopes');
  }
}

function checkRequirement(
  { operator, scopeName, values = [] }: ScopedResourceSelectorRequirement,
  at: Path,
  report: Report,
): void {
  if (!isScope(scopeName)) report.invalid(at.child('scopeName'), scopeName, 'unsupported scope');
  const mustExist = isScope(scopeName) && scopeName !== 'PriorityClass';
  if (mustExist && operator !== 'Exists') {
    const why =
      "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
    report.invalid(at.child('operator'), operator, why);
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) {
      report.required(
        at.child('values'),
        "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
      );
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      report.invalid(
        at.child('values'),
        values,
        "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector",
      );
    }
  } else report.invalid(at.child('operator'), operator, 'not a valid selector operator');
}
