import { selectedName } from '../../api/field-selector.ts';
import type { PolicyRule } from '../../api/parts/rbac.ts';
import { rbacGroup } from '../../api/parts/rbac.ts';
import { notFound } from '../failures.ts';
import type { User } from '../user.ts';
import type { Attributes, Authorizer } from './authorize.ts';
import { allowsPath, allowsResource } from './policy-rule.ts';
import type { Grant, RbacIndex } from './rbac-index.ts';

/** One rule that a user has. */
interface HeldRule {
  rule: PolicyRule;
  grant: Grant;
}

/**
 * Allows what a user's roles allow: those bound in the whole cluster, then those bound in the namespace asked about.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
 */
export function rbacAuthorizer(index: RbacIndex): Authorizer {
  return (attributes) => {
    const errors: string[] = [];
    const namespace = attributes.resource?.namespace ?? '';
    const test = testOf(attributes);
    for (const { rule, grant } of heldRules(index, attributes.user, namespace, errors)) {
      if (test(rule)) return { allowed: true, reason: `RBAC: allowed by ${describe(grant)}` };
    }
    return errors.length > 0 ? { allowed: false, reason: `RBAC: ${aggregate(errors)}` } : undefined;
  };
}

/** All rules that a user has in a namespace, and what stood in the way of finding them. */
export function rulesFor(
  index: RbacIndex,
  user: User,
  namespace: string,
): { rules: PolicyRule[]; errors: string[] } {
  const errors: string[] = [];
  const rules = [...heldRules(index, user, namespace, errors)].map(({ rule }) => rule);
  return { rules, errors };
}

/** Go's aggregate of errors: each text once. */
export function aggregate(errors: readonly string[]): string {
  const distinct = [...new Set(errors)];
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`;
}

function testOf(attributes: Attributes): (rule: PolicyRule) => boolean {
  const { resource } = attributes;
  if (!resource) {
    const { path, verb } = attributes;
    return (rule) => allowsPath(rule, { path, verb });
  }
  // A list or watch that can only answer with one object is about that object.
  const isOne = resource.verb === 'list' || resource.verb === 'watch';
  const name = resource.name ?? (isOne ? selectedName(attributes.fieldSelector) : undefined);
  return (rule) => allowsResource(rule, { ...resource, name });
}

function* heldRules(index: RbacIndex, user: User, namespace: string, errors: string[]): Iterable<HeldRule> {
  for (const scope of namespace === '' ? [''] : ['', namespace]) {
    for (const grant of index.grantsOf(user, scope)) {
      const { kind, name } = grant.binding.roleRef;
      const rules = index.rulesOf({ kind, name, namespace: scope });
      if (!rules) errors.push(missing(kind, name));
      for (const rule of rules ?? []) yield { rule, grant };
    }
  }
}

function missing(kind: string, name: string): string {
  return notFound({ group: rbacGroup, plural: kind.toLowerCase(), kind }, name).message;
}

function describe({ binding, subject }: Grant): string {
  const { name, namespace } = binding.metadata!;
  const [kind, at] = namespace ? ['RoleBinding', `${name}/${namespace}`] : ['ClusterRoleBinding', name];
  const isAccount = subject.kind === 'ServiceAccount';
  const who = isAccount ? `${subject.name}/${subject.namespace || namespace}` : subject.name;
  const role = `${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)}`;
  return `${kind} ${JSON.stringify(at)} of ${role} to ${subject.kind} ${JSON.stringify(who)}`;
}
