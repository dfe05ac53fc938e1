import { isEqualSemantically } from '../../api/equal.ts';
import type { ClusterRole } from '../../api/kinds/clusterRole.ts';
import type { KubeObject } from '../../api/object.ts';
import { type Binding, type PolicyRule, rbacGroup } from '../../api/parts/rbac.ts';
import { forbidden, type Named, notFound } from '../failures.ts';
import type { Strategy } from '../strategies/strategy.ts';
import type { User } from '../user.ts';
import type { Attributes, Decision } from './authorize.ts';
import { describeRules, missingRules, quotedList } from './policy-rule.ts';
import { aggregate, rulesFor } from './rbac.ts';
import type { RbacIndex } from './rbac-index.ts';

export interface EscalationGuard {
  index: RbacIndex;
  authorize(attributes: Attributes): Decision;
}

const everything: PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

/**
 * Nobody gives away more than they hold: who writes a role must have its rules (or may `escalate`), who writes a
 * binding must have the rules of its role (or may `bind`).
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
 */
export function escalationStrategies(guard: EscalationGuard): [string, Strategy][] {
  const role = (kind: Named): Strategy => ({
    admit: (next, previous, user) => checkRole(guard, kind, { next, previous, user }),
  });
  const binding = (kind: Named): Strategy => ({
    // Only kinds with these fields have this strategy.
    admit: (next, previous, user) => checkBinding(guard, kind, { next: next as Binding, previous, user }),
  });
  return [
    [`roles.${rbacGroup}`, role(named('Role'))],
    [`clusterroles.${rbacGroup}`, role(named('ClusterRole'))],
    [`rolebindings.${rbacGroup}`, binding(named('RoleBinding'))],
    [`clusterrolebindings.${rbacGroup}`, binding(named('ClusterRoleBinding'))],
  ];
}

const named = (kind: string): Named => ({ group: rbacGroup, plural: `${kind.toLowerCase()}s`, kind });

interface Write<T extends KubeObject> {
  next: T;
  previous: KubeObject | undefined;
  user: User;
}

function checkRole(guard: EscalationGuard, kind: Named, write: Write<ClusterRole>): void {
  const { next, user } = write;
  if (isFree(write) || may(guard, user, 'escalate', kind, next.metadata!)) return;
  const { name = '', namespace = '' } = next.metadata!;
  if (next.aggregationRule && refusalOf(guard.index, user, namespace, everything)) {
    throw forbidden(kind, name, 'must have cluster-admin privileges to use the aggregationRule');
  }
  const why = refusalOf(guard.index, user, namespace, next.rules ?? []);
  if (why) throw forbidden(kind, name, why);
}

function checkBinding(guard: EscalationGuard, kind: Named, write: Write<Binding>): void {
  const { next, user } = write;
  const { name = '', namespace = '' } = next.metadata!;
  const { kind: roleKind, name: roleName } = next.roleRef ?? {};
  // An unknown kind of role fails validation.
  if (isFree(write) || (roleKind !== 'Role' && roleKind !== 'ClusterRole')) return;
  const role = named(roleKind);
  if (may(guard, user, 'bind', role, { name: roleName, namespace })) return;
  const rules = guard.index.rulesOf({ kind: roleKind, name: roleName, namespace });
  if (!rules) throw notFound(role, roleName);
  const why = refusalOf(guard.index, user, namespace, rules);
  if (why) throw forbidden(kind, name, why);
}

/** Who may do everything, and a write that only lets the garbage collector do its work. */
function isFree({ next, previous, user }: Write<KubeObject>): boolean {
  return user.groups.includes('system:masters') || (previous !== undefined && isSameGrant(next, previous));
}

function isSameGrant(next: KubeObject, previous: KubeObject): boolean {
  const granting = ({ apiVersion: _apiVersion, kind: _kind, metadata, ...rest }: KubeObject) => {
    const { ownerReferences, finalizers, managedFields, resourceVersion, ...others } = metadata ?? {};
    return { ...rest, metadata: others };
  };
  return isEqualSemantically(granting(next), granting(previous));
}

function may(
  guard: EscalationGuard,
  user: User,
  verb: 'escalate' | 'bind',
  kind: Named,
  at: { name?: string | undefined; namespace?: string | undefined },
): boolean {
  const resource = {
    verb,
    group: rbacGroup,
    version: '*',
    resource: kind.plural,
    subresource: undefined,
    name: at.name,
    namespace: at.namespace || undefined,
  };
  return guard.authorize({ user, fieldSelector: '', resource }).allowed;
}

/** Kubernetes' text on what a user wants to give and does not have; undefined when they have it all. */
function refusalOf(
  index: RbacIndex,
  user: User,
  namespace: string,
  wanted: readonly PolicyRule[],
): string | undefined {
  const { rules, errors } = rulesFor(index, user, namespace);
  const missing = missingRules(rules, wanted);
  if (missing?.length === 0) return undefined;
  const lines = missing ? describeRules(missing) : ['more single permissions than can be compared'];
  const unresolved = errors.length > 0 ? `; resolution errors: ${aggregate(errors)}` : '';
  return (
    `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)}) is attempting to grant RBAC permissions ` +
    `not currently held:\n${lines.join('\n')}${unresolved}`
  );
}
