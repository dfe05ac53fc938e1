import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { pathSegment } from '../names.ts';
import { labelSelector } from '../parts/meta.ts';
import { checkRules, rbacGroup, rules } from '../parts/rbac.ts';
import { list, object } from '../schema.ts';
import { plainColumns } from '../table.ts';

const aggregationRule = object(
  'io.k8s.api.rbac.v1.AggregationRule',
  { clusterRoleSelectors: list(labelSelector, { doc: 'Which ClusterRoles give it their rules.' }) },
  {
    doc: 'The ClusterRoles whose rules it is made of; what is written into its own rules is replaced.',
    check({ clusterRoleSelectors = [] }, at, report) {
      if (clusterRoleSelectors.length > 0) return;
      const detail = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
      report.required(at.child('clusterRoleSelectors'), detail);
    },
  },
);

const schema = kindSchema(
  'io.k8s.api.rbac.v1.ClusterRole',
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' },
  { aggregationRule, rules },
  'ClusterRole says what may be done in the whole cluster, or in the namespace of a RoleBinding that names it.',
);

export interface ClusterRole extends ObjectOf<typeof schema> {}

export const clusterRole = defineKind<ClusterRole>({
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  nameRule: pathSegment,
  schema,
  columns: plainColumns,
  check: (object, report, root) => checkRules(object.rules, root.child('rules'), report, false),
});
