import type { ResourceInfo } from '../request-info.ts';
import type { User } from '../user.ts';
import type { Level, Policy, PolicyRule, Stage } from './policy.ts';

/** What is kept of a request. */
export interface Kept {
  level: Level;
  omitStages: ReadonlySet<Stage>;
  omitManagedFields: boolean;
}

/** What a policy looks at in a request. */
export interface Asked {
  user: User | undefined;
  verb: string;
  path: string;
  resource: ResourceInfo | undefined;
}

/** By the first rule of the policy that matches; nothing where none does. */
export function keptOf(policy: Policy, asked: Asked): Kept {
  const found = policy.rules?.find((rule) => isMatched(rule, asked));
  const omitted = [...(policy.omitStages ?? []), ...(found?.omitStages ?? [])];
  return {
    // A policy that was read has only levels and stages that there are.
    level: (found?.level ?? 'None') as Level,
    omitStages: new Set(omitted as Stage[]),
    omitManagedFields: found?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

function isMatched(rule: PolicyRule, { user, verb, path, resource }: Asked): boolean {
  const { users = [], userGroups = [], verbs = [], nonResourceURLs = [] } = rule;
  if (users.length > 0 && !users.includes(user?.name ?? '')) return false;
  if (userGroups.length > 0 && !user?.groups.some((group) => userGroups.includes(group))) return false;
  if (verbs.length > 0 && !verbs.includes(verb)) return false;
  if (rule.namespaces?.length || rule.resources?.length)
    return resource !== undefined && isResource(rule, resource);
  if (nonResourceURLs.length === 0) return true;
  return resource === undefined && nonResourceURLs.some((pattern) => isPathLike(pattern, path));
}

function isResource({ namespaces = [], resources = [] }: PolicyRule, asked: ResourceInfo): boolean {
  if (namespaces.length > 0 && !namespaces.includes(asked.namespace ?? '')) return false;
  if (resources.length === 0) return true;
  const { resource, subresource, name = '' } = asked;
  const whole = subresource ? `${resource}/${subresource}` : resource;
  return resources.some((one) => {
    if ((one.group ?? '') !== asked.group) return false;
    if (!one.resources?.length) return true;
    if (one.resourceNames?.length && !one.resourceNames.includes(name)) return false;
    return one.resources.some(
      (pattern) =>
        pattern === '*' ||
        pattern === whole ||
        (subresource !== undefined && pattern === `*/${subresource}`) ||
        pattern === `${resource}/*`,
    );
  });
}

function isPathLike(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}
