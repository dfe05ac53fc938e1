import type { FlowSchema, FlowSubject } from '../../api/kinds/flowSchema.ts';
import type { ResourceInfo } from '../request-info.ts';
import { serviceAccountUserPrefix } from '../service-account-authenticator.ts';
import type { User } from '../user.ts';

/** What a flow schema looks at in a request. */
export interface Asked {
  user: User;
  /** The verb, or the method in lower case where the request is for a path. */
  verb: string;
  path: string;
  resource: ResourceInfo | undefined;
}

type Rules = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];

/** Whether a flow schema is meant for a request: one of its rules names both its sender and what it asks. */
export function isMatched({ spec }: FlowSchema, asked: Asked): boolean {
  return (spec?.rules ?? []).some(
    (rules) => rules.subjects.some((subject) => isSender(subject, asked.user)) && isAsked(rules, asked),
  );
}

function isSender({ kind, user, group, serviceAccount }: FlowSubject, sender: User): boolean {
  switch (kind) {
    case 'User':
      return user?.name === '*' || user?.name === sender.name;
    case 'Group':
      return group?.name === '*' || sender.groups.includes(group?.name ?? '');
    case 'ServiceAccount': {
      const prefix = `${serviceAccountUserPrefix}${serviceAccount?.namespace}:`;
      if (serviceAccount?.name === '*') return sender.name.startsWith(prefix);
      return sender.name === `${prefix}${serviceAccount?.name}`;
    }
    default:
      return false;
  }
}

function isAsked(
  { resourceRules = [], nonResourceRules = [] }: Rules,
  { resource, verb, path }: Asked,
): boolean {
  const has = (all: readonly string[], one: string) => all.includes('*') || all.includes(one);
  if (!resource) {
    return nonResourceRules.some(
      (rule) => has(rule.verbs, verb) && rule.nonResourceURLs.some((pattern) => isPathLike(pattern, path)),
    );
  }
  const named = resource.subresource ? `${resource.resource}/${resource.subresource}` : resource.resource;
  return resourceRules.some(
    ({ verbs, apiGroups, resources, clusterScope, namespaces = [] }) =>
      has(verbs, verb) &&
      has(apiGroups, resource.group) &&
      has(resources, named) &&
      (resource.namespace ? has(namespaces, resource.namespace) : clusterScope === true),
  );
}

function isPathLike(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('/*') && path.startsWith(pattern.slice(0, -1));
}
