import type { KubeObject } from '../../api/object.ts';
import type { PolicyRule } from '../../api/parts/rbac.ts';
import { nodeNameOf } from '../authorization/node-authorizer.ts';
import { aggregate } from '../authorization/rbac.ts';
import { badRequest } from '../failures.ts';
import { isRecord } from '../options.ts';
import type { User } from '../user.ts';

export type RulesFor = (user: User, namespace: string) => { rules: PolicyRule[]; errors: string[] };

/** Answers SelfSubjectRulesReview: what may I do in a namespace? What a node may is not made of rules. */
export function reviewRules(
  body: Record<string, unknown>,
  user: User,
  rulesFor: RulesFor,
): Partial<KubeObject> & Record<string, unknown> {
  const spec = isRecord(body.spec) ? body.spec : {};
  if (typeof spec.namespace !== 'string' || spec.namespace === '')
    throw badRequest('no namespace on request');
  const { rules, errors } = rulesFor(user, spec.namespace);
  const isNode = nodeNameOf(user) !== undefined;
  if (isNode) errors.push('node authorizer does not support user rule resolution');
  const ofResources = rules.filter(({ resources }) => (resources ?? []).length > 0);
  const ofPaths = rules.filter(({ nonResourceURLs }) => (nonResourceURLs ?? []).length > 0);
  const status = {
    resourceRules: ofResources.map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames && { resourceNames }),
    })),
    nonResourceRules: ofPaths.map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: errors.length > 0,
    ...(errors.length > 0 && { evaluationError: aggregate(errors) }),
  };
  return { spec: {}, status };
}
