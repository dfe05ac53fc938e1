import type { PolicyRule } from '../../api/parts/rbac.ts';
import type { ResourceInfo } from '../request-info.ts';

const all = '*';
/** A rule is split into its single permissions only up to so many of them. */
export const permissionsMax = 100_000;

/** Whether a rule allows a verb on a resource. */
export function allowsResource(
  rule: PolicyRule,
  asked: Pick<ResourceInfo, 'group' | 'resource' | 'subresource' | 'name'> & { verb: string },
): boolean {
  const { resourceNames = [] } = rule;
  return (
    has(rule.verbs, asked.verb) &&
    has(rule.apiGroups, asked.group) &&
    allowsNamedResource(rule.resources, asked.resource, asked.subresource) &&
    (resourceNames.length === 0 || resourceNames.includes(asked.name ?? ''))
  );
}

/** Whether a rule allows a verb on a path that belongs to no resource. */
export function allowsPath(rule: PolicyRule, asked: { path: string; verb: string }): boolean {
  return (
    has(rule.verbs, asked.verb) && (rule.nonResourceURLs ?? []).some((url) => coversPath(url, asked.path))
  );
}

function has(values: readonly string[] | undefined, wanted: string): boolean {
  return values?.some((value) => value === all || value === wanted) ?? false;
}

function allowsNamedResource(
  resources: readonly string[] = [],
  resource: string,
  subresource: string | undefined,
): boolean {
  const whole = subresource ? `${resource}/${subresource}` : resource;
  return resources.some(
    (one) => one === all || one === whole || (subresource !== undefined && one === `*/${subresource}`),
  );
}

function coversPath(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith(all) && path.startsWith(pattern.replace(/\*+$/, '')));
}

/**
 * What of `wanted` is not allowed by `held`, as single permissions; empty when all is. Undefined when `wanted` has
 * more than `permissionsMax` of them that would each have to be looked at.
 */
export function missingRules(
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): PolicyRule[] | undefined {
  const open = wanted.filter((rule) => !held.some((one) => covers(one, rule)));
  const count = open.reduce((sum, rule) => sum + permissionsOf(rule), 0);
  if (count > permissionsMax) return undefined;
  return open.flatMap(split).filter((rule) => !held.some((one) => covers(one, rule)));
}

function covers(held: PolicyRule, wanted: PolicyRule): boolean {
  const { resourceNames = [] } = held;
  const names = wanted.resourceNames ?? [];
  return (
    hasAll(held.verbs, wanted.verbs) &&
    hasAll(held.apiGroups, wanted.apiGroups) &&
    (wanted.resources ?? []).every((resource) => coversResource(held.resources, resource)) &&
    (wanted.nonResourceURLs ?? []).every((url) =>
      (held.nonResourceURLs ?? []).some((pattern) => coversPath(pattern, url)),
    ) &&
    (resourceNames.length === 0 || (names.length > 0 && names.every((name) => resourceNames.includes(name))))
  );
}

function hasAll(held: readonly string[] | undefined, wanted: readonly string[] = []): boolean {
  return wanted.every((value) => has(held, value));
}

function coversResource(held: readonly string[] = [], wanted: string): boolean {
  if (held.includes(all) || held.includes(wanted)) return true;
  const slash = wanted.indexOf('/');
  return slash >= 0 && held.includes(`*/${wanted.slice(slash + 1)}`);
}

function permissionsOf({
  verbs = [],
  apiGroups,
  resources,
  resourceNames,
  nonResourceURLs,
}: PolicyRule): number {
  const count = (values: readonly string[] | undefined) => values?.length ?? 0;
  const named = count(apiGroups) * count(resources) * Math.max(1, count(resourceNames));
  return verbs.length * (named + count(nonResourceURLs));
}

function split(rule: PolicyRule): PolicyRule[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const single: PolicyRule[] = [];
  for (const verb of verbs) {
    for (const apiGroup of apiGroups) {
      for (const resource of resources) {
        const one = { apiGroups: [apiGroup], resources: [resource], verbs: [verb] };
        if (resourceNames.length === 0) single.push(one);
        for (const name of resourceNames) single.push({ ...one, resourceNames: [name] });
      }
    }
    for (const url of nonResourceURLs) single.push({ nonResourceURLs: [url], verbs: [verb] });
  }
  return single;
}

/** Single permissions put together again where they differ by verb only, sorted, in Kubernetes' short form. */
export function describeRules(rules: readonly PolicyRule[]): string[] {
  const merged = new Map<string, PolicyRule>();
  for (const { verbs, ...rest } of rules) {
    const key = JSON.stringify(rest);
    const known = merged.get(key);
    if (known) known.verbs.push(...verbs);
    else merged.set(key, { ...rest, verbs: [...verbs] });
  }
  return [...merged.values()].map(describe).sort();
}

const described = [
  ['APIGroups', 'apiGroups'],
  ['Resources', 'resources'],
  ['NonResourceURLs', 'nonResourceURLs'],
  ['ResourceNames', 'resourceNames'],
  ['Verbs', 'verbs'],
] as const;

function describe(rule: PolicyRule): string {
  const parts = described.flatMap(([name, field]) => {
    const values = rule[field] ?? [];
    return values.length === 0 ? [] : [`${name}:${quotedList(values)}`];
  });
  return `{${parts.join(', ')}}`;
}

/** Go's `%q` of a list: `["a" "b"]`. */
export function quotedList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
