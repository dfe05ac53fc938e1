import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { pathSegment } from '../names.ts';
import { bindingColumns, bindingFields, checkBinding, checkBindingUpdate, rbacGroup } from '../parts/rbac.ts';

const schema = kindSchema(
  'io.k8s.api.rbac.v1.RoleBinding',
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' },
  bindingFields,
  'RoleBinding gives a Role, or a ClusterRole, to users, groups and service accounts in its namespace.',
);

export interface RoleBinding extends ObjectOf<typeof schema> {}

export const roleBinding = defineKind<RoleBinding>({
  group: rbacGroup,
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
  nameRule: pathSegment,
  schema,
  columns: bindingColumns,
  check: checkBinding(['Role', 'ClusterRole'], true),
  checkUpdate: checkBindingUpdate,
});
