import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { pathSegment } from '../names.ts';
import { bindingColumns, bindingFields, checkBinding, checkBindingUpdate, rbacGroup } from '../parts/rbac.ts';

const schema = kindSchema(
  'io.k8s.api.rbac.v1.ClusterRoleBinding',
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding' },
  bindingFields,
  'ClusterRoleBinding gives a ClusterRole to users, groups and service accounts in the whole cluster.',
);

export interface ClusterRoleBinding extends ObjectOf<typeof schema> {}

export const clusterRoleBinding = defineKind<ClusterRoleBinding>({
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  nameRule: pathSegment,
  schema,
  columns: bindingColumns,
  check: checkBinding(['ClusterRole'], false),
  checkUpdate: checkBindingUpdate,
});
