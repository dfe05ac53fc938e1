import type { ClusterRole } from '../../api/kinds/clusterRole.ts';
import type { ClusterRoleBinding } from '../../api/kinds/clusterRoleBinding.ts';
import type { Role } from '../../api/kinds/role.ts';
import type { RoleBinding } from '../../api/kinds/roleBinding.ts';
import { type PolicyRule, rbacGroup } from '../../api/parts/rbac.ts';
import { authenticationConfigName } from '../aggregation/authentication-config.ts';
import { adminRules, discoveryRules, editRules, healthRules, selfRules, viewRules } from './default-rules.ts';

/** On what the server made itself and keeps up to date. */
const bootstrapped = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
export const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';

/**
 * The roles that every cluster has.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
 */
export function defaultClusterRoles(): ClusterRole[] {
  const everything = [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ];
  const reviews = ['tokenreviews.authentication.k8s.io', 'subjectaccessreviews.authorization.k8s.io'];
  return [
    role('cluster-admin', everything),
    aggregated('admin', ['admin'], [...editRules, ...viewRules, ...adminRules]),
    aggregated('edit', ['edit'], [...editRules, ...viewRules], ['admin']),
    aggregated('view', ['view'], viewRules, ['edit']),
    part('admin', adminRules),
    part('edit', editRules),
    part('view', viewRules),
    role('system:discovery', [{ nonResourceURLs: discoveryRules, verbs: ['get'] }]),
    role('system:public-info-viewer', [{ nonResourceURLs: healthRules, verbs: ['get'] }]),
    role('system:basic-user', selfRules),
    role('system:monitoring', [
      {
        nonResourceURLs: ['/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/readyz', '/readyz/*'],
        verbs: ['get'],
      },
    ]),
    role(
      'system:auth-delegator',
      reviews.map((name) => {
        const [resource = '', ...group] = name.split('.');
        return { apiGroups: [group.join('.')], resources: [resource], verbs: ['create'] };
      }),
    ),
    role('system:service-account-issuer-discovery', [
      {
        nonResourceURLs: [
          '/.well-known/openid-configuration',
          '/.well-known/openid-configuration/',
          '/openid/v1/jwks',
          '/openid/v1/jwks/',
        ],
        verbs: ['get'],
      },
    ]),
  ];
}

/** Who has them from the start. */
export function defaultClusterRoleBindings(): ClusterRoleBinding[] {
  const [authenticated, anonymous] = ['system:authenticated', 'system:unauthenticated'];
  return [
    binding('cluster-admin', ['system:masters']),
    binding('system:discovery', [authenticated]),
    binding('system:basic-user', [authenticated]),
    binding('system:public-info-viewer', [authenticated, anonymous]),
    binding('system:monitoring', ['system:monitoring']),
    binding('system:service-account-issuer-discovery', ['system:serviceaccounts']),
  ];
}

/** What other API servers must read, in `kube-system`. */
export function systemRoles(): Role[] {
  return [
    {
      metadata: { ...metadata(authenticationReader), namespace: systemNamespace },
      rules: [
        {
          apiGroups: [''],
          resources: ['configmaps'],
          resourceNames: [authenticationConfigName],
          verbs: ['get', 'list', 'watch'],
        },
      ],
    },
  ];
}

export function systemRoleBindings(): RoleBinding[] {
  const users = ['system:kube-controller-manager', 'system:kube-scheduler'];
  return [
    {
      metadata: { ...metadata(`system::${authenticationReader}`), namespace: systemNamespace },
      roleRef: { apiGroup: rbacGroup, kind: 'Role', name: authenticationReader },
      subjects: users.map((name) => ({ apiGroup: rbacGroup, kind: 'User', name })),
    },
  ];
}

const systemNamespace = 'kube-system';
const authenticationReader = `${authenticationConfigName}-reader`;

const metadata = (name: string, labels: Record<string, string> = {}) => ({
  name,
  labels: { ...bootstrapped, ...labels },
  annotations: { [autoUpdate]: 'true' },
});

function role(name: string, rules: PolicyRule[], labels?: Record<string, string>): ClusterRole {
  return { metadata: metadata(name, labels), rules };
}

const aggregateTo = (name: string) => `rbac.authorization.k8s.io/aggregate-to-${name}`;

/** A part of `admin`, `edit` or `view`. */
function part(of: string, rules: PolicyRule[]): ClusterRole {
  return role(`system:aggregate-to-${of}`, rules, { [aggregateTo(of)]: 'true' });
}

/** Its rules are what the controller will find, so that they hold before it has looked. */
function aggregated(name: string, from: string[], rules: PolicyRule[], to: string[] = []): ClusterRole {
  const labels = Object.fromEntries(to.map((target) => [aggregateTo(target), 'true']));
  const clusterRoleSelectors = from.map((one) => ({ matchLabels: { [aggregateTo(one)]: 'true' } }));
  return { ...role(name, rules, labels), aggregationRule: { clusterRoleSelectors } };
}

function binding(name: string, groups: string[]): ClusterRoleBinding {
  return {
    metadata: metadata(name),
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name },
    subjects: groups.map((group) => ({ apiGroup: rbacGroup, kind: 'Group', name: group })),
  };
}
