import { readFileSync } from 'node:fs';
import { decode } from '../../api/decode.ts';
import { defineKind, kindSchema, type ObjectOf } from '../../api/kind.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { Path } from '../../api/path.ts';
import { Report } from '../../api/report.ts';
import { boolean, list, object, string, type TypeOf } from '../../api/schema.ts';
import { messageOf } from '../../base/errors.ts';

/** How much is kept of a request, from nothing to both bodies. */
export const levels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type Level = (typeof levels)[number];
/** When an event is made in the life of a request. */
export const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type Stage = (typeof stages)[number];

const rule = object('io.k8s.apiserver.pkg.apis.audit.v1.PolicyRule', {
  level: string({ doc: 'None, Metadata, Request or RequestResponse.' }),
  users: list(string(), { doc: 'Users that are meant; all if absent.' }),
  userGroups: list(string(), { doc: 'Groups that are meant.' }),
  verbs: list(string(), { doc: 'Verbs that are meant.' }),
  resources: list(
    object('io.k8s.apiserver.pkg.apis.audit.v1.GroupResources', {
      group: string({ doc: 'The API group.' }),
      resources: list(string(), { doc: 'Its resources, as `pods`, `pods/log`, `pods/*` or `*`.' }),
      resourceNames: list(string(), { doc: 'The only objects that are meant.' }),
    }),
    { doc: 'Resources that are meant.' },
  ),
  namespaces: list(string(), { doc: 'Namespaces that are meant; "" for what is in none.' }),
  nonResourceURLs: list(string(), { doc: 'Paths that are meant.' }),
  omitStages: list(string(), { doc: 'Stages that make no event.' }),
  omitManagedFields: boolean({ doc: 'Whether bodies are kept without managedFields.' }),
});
export type PolicyRule = TypeOf<typeof rule>;

const schema = kindSchema(
  'io.k8s.apiserver.pkg.apis.audit.v1.Policy',
  { apiVersion: 'audit.k8s.io/v1', kind: 'Policy' },
  {
    rules: list(rule, { doc: 'The first that matches a request counts.' }),
    omitStages: list(string(), { doc: 'Stages that make no event.' }),
    omitManagedFields: boolean({ doc: 'Whether bodies are kept without managedFields.' }),
  },
  'Policy says what of which requests is written into the audit log.',
);
export interface Policy extends ObjectOf<typeof schema> {}

/** Read from a file, and never served. */
const policyKind = defineKind<Policy>({
  group: 'audit.k8s.io',
  version: 'v1',
  kind: 'Policy',
  plural: 'policies',
  namespaced: false,
  schema,
});

/** Reads a policy in YAML or JSON. Throws what is wrong with it, and where. */
export async function readPolicy(path: string): Promise<Policy> {
  const fail = (why: string): never => {
    throw new Error(`the audit policy ${path} cannot be used: ${why}`);
  };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return fail(messageOf(error));
  }
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text);
  if (document.errors[0]) return fail(document.errors[0].message);
  let policy: Policy;
  try {
    policy = decode(policyKind, document.toJS() ?? {}, { fieldValidation: 'Strict' }).object;
  } catch (error) {
    return fail(messageOf(error));
  }
  if (!policy.rules?.length)
    return fail('rules: Required value: it has no rules, so nothing would be written');
  const report = new Report();
  checkPolicy(policy, report);
  const causes = report.causes.map(({ field, message }) => `${field}: ${message}`);
  return causes.length > 0 ? fail(causes.join('; ')) : policy;
}

function checkPolicy(policy: Policy, report: Report): void {
  const root = new Path();
  checkStages(policy.omitStages ?? [], root.child('omitStages'), report);
  for (const [index, one] of (policy.rules ?? []).entries()) {
    const at = root.child('rules').index(index);
    if (!one.level) report.required(at.child('level'));
    else if (!(levels as readonly string[]).includes(one.level)) {
      report.unsupported(at.child('level'), one.level, levels);
    }
    checkPaths(one, at.child('nonResourceURLs'), report);
    for (const { group = '', resources = [], resourceNames = [] } of one.resources ?? []) {
      const where = at.child('resources');
      const why = group === '' ? [] : dns1123Subdomain(group);
      if (why.length > 0) report.invalid(where.child('group'), group, why.join(','));
      if (resourceNames.length > 0 && resources.length === 0) {
        const text = 'using resourceNames requires at least one resource';
        report.invalid(where.child('resourceNames'), resourceNames, text);
      }
    }
    checkStages(one.omitStages ?? [], at.child('omitStages'), report);
  }
}

function checkPaths(
  { nonResourceURLs = [], resources = [], namespaces = [] }: PolicyRule,
  at: Path,
  report: Report,
) {
  for (const [index, path] of nonResourceURLs.entries()) {
    if (path === '*') continue;
    if (!path.startsWith('/')) {
      report.invalid(at.index(index), path, "non-resource URL rules must begin with a '/' character");
    }
    if (path.slice(0, -1).includes('*')) {
      const why = "non-resource URL wildcards '*' must be the final character of the rule";
      report.invalid(at.index(index), path, why);
    }
  }
  if (nonResourceURLs.length > 0 && (resources.length > 0 || namespaces.length > 0)) {
    report.invalid(at, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs');
  }
}

function checkStages(omitted: readonly string[], at: Path, report: Report): void {
  for (const [index, stage] of omitted.entries()) {
    if ((stages as readonly string[]).includes(stage)) continue;
    report.invalid(at.index(index), stage, `allowed stages are ${stages.join(',')}`);
  }
}
