import { isEqualSemantically } from '../api/equal.ts';
import { type ClusterRole, clusterRole as clusterRoleKind } from '../api/kinds/clusterRole.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';

type Rules = NonNullable<ClusterRole['rules']>;

/** Gives each ClusterRole with an aggregationRule the rules of the ClusterRoles that it selects. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const roles = informers.of(clusterRoleKind);

  async function reconcile(name: string): Promise<undefined> {
    const role = roles.get(name);
    if (!role?.aggregationRule) return;
    const rules = aggregate(role, roles.list());
    if (isEqualSemantically(rules, role.rules)) return;
    await client.update(clusterRoleKind, { ...role, rules });
  }

  const aggregating = () =>
    roles.list().flatMap(({ aggregationRule, metadata }) => (aggregationRule ? [metadata!.name!] : []));
  return runController(context, {
    name: 'clusterrole-aggregation',
    // Any change may reach any of them, by its rules or by its labels.
    sources: [source(clusterRoleKind, aggregating)],
    reconcile,
  });
}

/** Pure: the rules of all roles that `role` selects, in the order of their names, each once; its own do not count. */
export function aggregate(role: ClusterRole, all: readonly ClusterRole[]): Rules {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map((one) => labelSelector(one));
  const chosen = all
    .filter((one) => one.metadata?.name !== role.metadata?.name && selectors.some((matches) => matches(one)))
    .sort((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
  const rules: Rules = [];
  for (const rule of chosen.flatMap((one) => one.rules ?? [])) {
    if (!rules.some((known) => isEqualSemantically(known, rule))) rules.push(rule);
  }
  return rules;
}
