import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { pathSegment } from '../names.ts';
import { checkRules, rbacGroup, rules } from '../parts/rbac.ts';
import { plainColumns } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.rbac.v1.Role',
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' },
  { rules },
  'Role says what may be done in its namespace; a RoleBinding gives it to someone.',
);

export interface Role extends ObjectOf<typeof schema> {}

export const role = defineKind<Role>({
  group: rbacGroup,
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  nameRule: pathSegment,
  schema,
  columns: plainColumns,
  check: (object, report, root) => checkRules(object.rules, root.child('rules'), report, true),
});
