import { dns1123Subdomain, pathSegment } from '../names.ts';
import type { KubeObject } from '../object.ts';
import type { Path } from '../path.ts';
import { GoText, goQuoted, type Report } from '../report.ts';
import { list, object, required, string, type TypeOf } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

/** The API group of roles and bindings. */
export const rbacGroup = 'rbac.authorization.k8s.io';

export const policyRule = object('io.k8s.api.rbac.v1.PolicyRule', {
  apiGroups: list(string(), { doc: 'The API groups of the resources; "" is the core group, "*" all.' }),
  nonResourceURLs: list(string(), {
    doc: 'Paths that belong to no resource; "*" stands at the end or alone. Only in a ClusterRole.',
  }),
  resourceNames: list(string(), { doc: 'The only objects that are meant; empty means all.' }),
  resources: list(string(), { doc: 'The resources; "*" means all, "pods/log" a subresource.' }),
  verbs: required(list(string(), { doc: 'What may be done; "*" means anything.', mayBeEmpty: true })),
});
export type PolicyRule = TypeOf<typeof policyRule>;

export const subject = object(
  'io.k8s.api.rbac.v1.Subject',
  {
    kind: required(string({ doc: 'User, Group or ServiceAccount.', mayBeEmpty: true })),
    apiGroup: string({
      doc: 'The API group of the subject: none for a ServiceAccount.',
      default: ({ kind }) => (kind === 'User' || kind === 'Group' ? rbacGroup : undefined),
    }),
    name: required(string({ doc: 'Who is meant.' })),
    namespace: string({ doc: 'The namespace of a ServiceAccount.' }),
  },
  { listType: 'atomic' },
);
export type Subject = TypeOf<typeof subject>;

export const roleRef = object(
  'io.k8s.api.rbac.v1.RoleRef',
  {
    apiGroup: required(string({ doc: 'The API group of the role.', default: rbacGroup, mayBeEmpty: true })),
    kind: required(string({ doc: 'Role or ClusterRole.', mayBeEmpty: true })),
    name: required(string({ doc: "The role's name." })),
  },
  { listType: 'atomic' },
);
export type RoleRef = TypeOf<typeof roleRef>;

export const rules = list(policyRule, { doc: 'What the role allows.' });

export const bindingFields = {
  roleRef: required(roleRef),
  subjects: list(subject, { doc: 'Who is given the role.' }),
};

export interface Binding extends KubeObject {
  roleRef: RoleRef;
  subjects?: Subject[];
}

/** A rule is about resources or about paths, never both; only a ClusterRole's may be about paths. */
export function checkRules(rules: PolicyRule[] = [], at: Path, report: Report, isNamespaced: boolean): void {
  for (const [index, rule] of rules.entries()) checkRule(rule, at.index(index), report, isNamespaced);
}

function checkRule(rule: PolicyRule, at: Path, report: Report, isNamespaced: boolean): void {
  const has = (values: string[] | undefined) => (values?.length ?? 0) > 0;
  if (!has(rule.verbs)) report.required(at.child('verbs'), 'verbs must contain at least one value');
  if (has(rule.nonResourceURLs)) {
    const urls = at.child('nonResourceURLs');
    if (isNamespaced) {
      report.invalid(urls, rule.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs');
    }
    if (has(rule.apiGroups) || has(rule.resources) || has(rule.resourceNames)) {
      const detail = 'rules cannot apply to both regular resources and non-resource URLs';
      report.invalid(urls, rule.nonResourceURLs, detail);
    }
    return;
  }
  if (!has(rule.apiGroups)) {
    report.required(at.child('apiGroups'), 'resource rules must supply at least one api group');
  }
  if (!has(rule.resources)) {
    report.required(at.child('resources'), 'resource rules must supply at least one resource');
  }
}

/** Which kinds of role a binding may name; a ClusterRoleBinding's service accounts must say their namespace. */
export function checkBinding(roleKinds: readonly string[], isNamespaced: boolean) {
  return (binding: Binding, report: Report, root: Path): void => {
    const { apiGroup, kind, name } = binding.roleRef ?? {};
    const at = root.child('roleRef');
    if (apiGroup !== undefined && apiGroup !== rbacGroup)
      report.unsupported(at.child('apiGroup'), apiGroup, [rbacGroup]);
    if (kind !== undefined && !roleKinds.includes(kind))
      report.unsupported(at.child('kind'), kind, roleKinds, true);
    for (const wrong of name ? pathSegment(name) : []) report.invalid(at.child('name'), name, wrong);
    for (const [index, one] of (binding.subjects ?? []).entries()) {
      checkSubject(one, root.child('subjects').index(index), report, isNamespaced);
    }
  };
}

function checkSubject(one: Subject, at: Path, report: Report, isNamespaced: boolean): void {
  const { kind, apiGroup, name, namespace } = one;
  if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== rbacGroup) report.unsupported(at.child('apiGroup'), apiGroup, [rbacGroup]);
  } else if (kind === 'ServiceAccount') {
    for (const wrong of name ? dns1123Subdomain(name) : []) report.invalid(at.child('name'), name, wrong);
    if (apiGroup) report.unsupported(at.child('apiGroup'), apiGroup, ['']);
    if (!isNamespaced && !namespace) report.required(at.child('namespace'));
  } else if (kind !== undefined) {
    report.unsupported(at.child('kind'), kind, ['ServiceAccount', 'User', 'Group'], true);
  }
}

/** To change the role would be to make another binding. */
export function checkBindingUpdate(next: Binding, previous: Binding, report: Report, root: Path): void {
  const isSame = (['apiGroup', 'kind', 'name'] as const).every(
    (field) => next.roleRef[field] === previous.roleRef[field],
  );
  if (isSame) return;
  const { apiGroup = '', kind, name } = next.roleRef;
  const fields = `APIGroup:${goQuoted(apiGroup)}, Kind:${goQuoted(kind)}, Name:${goQuoted(name)}`;
  report.invalid(root.child('roleRef'), new GoText(`rbac.RoleRef{${fields}}`), 'cannot change roleRef');
}

const namesOf = (binding: Binding, kind: string) =>
  (binding.subjects ?? [])
    .filter((one) => one.kind === kind)
    .map((one) => (kind === 'ServiceAccount' ? `${one.namespace ?? ''}/${one.name}` : one.name))
    .join(', ');

export const bindingColumns = [
  nameColumn,
  {
    name: 'Role',
    doc: 'The role that is given.',
    value: ({ roleRef }: Partial<Binding>) => (roleRef ? `${roleRef.kind}/${roleRef.name}` : ''),
  },
  ageColumn,
  ...(['User', 'Group', 'ServiceAccount'] as const).map((kind) => ({
    name: `${kind}s`,
    doc: `Each ${kind} that has the role.`,
    priority: 1 as const,
    value: (binding: Binding) => namesOf(binding, kind),
  })),
];
