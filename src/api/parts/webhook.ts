import { distinct } from '../checks.ts';
import { dns1035Label, dns1123Subdomain, qualifiedName } from '../names.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  bytes,
  integer,
  keyedList,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { labelSelector } from './meta.ts';

const group = 'io.k8s.api.admissionregistration.v1';
export const admissionOperations = ['*', 'CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const;
const reviewVersions = ['v1', 'v1beta1'];
const timeoutSecondsMax = 30;
const conditionsMax = 64;

export const ruleWithOperations = object(
  `${group}.RuleWithOperations`,
  {
    apiGroups: required(list(string(), { doc: "API groups; '*' is all." })),
    apiVersions: required(list(string(), { doc: "API versions; '*' is all." })),
    operations: required(list(string(), { doc: "CREATE, UPDATE, DELETE, CONNECT; '*' is all." })),
    resources: required(
      list(string(), { doc: "Resources: 'pods', 'pods/log', '*', 'pods/*', '*/scale', '*/*'." }),
    ),
    scope: oneOf(['*', 'Cluster', 'Namespaced'], {
      doc: 'Whether objects of namespaces or of the whole cluster are meant.',
      default: '*',
    }),
  },
  { check: checkRule },
);
export type RuleWithOperations = TypeOf<typeof ruleWithOperations>;

export const matchCondition = object(`${group}.MatchCondition`, {
  expression: required(string({ doc: 'A CEL expression that must be true.' })),
  name: required(string({ doc: 'Its name, for messages.' })),
});
export type MatchCondition = TypeOf<typeof matchCondition>;

export const webhookClientConfig = object(
  `${group}.WebhookClientConfig`,
  {
    caBundle: bytes({ doc: "The authorities of the webhook's certificate, in PEM, in base64." }),
    service: object(
      `${group}.ServiceReference`,
      {
        name: required(string({ doc: 'The Service.' })),
        namespace: required(string({ doc: 'Its namespace.' })),
        path: string({ doc: 'The path of the URL.' }),
        port: integer({ doc: 'Its port.', default: 443, min: 1, max: 65535 }),
      },
      { doc: 'The Service that the webhook is behind.' },
    ),
    url: string({ doc: 'Where the webhook is, if it is no Service: https://host[:port]/path.' }),
  },
  { check: checkClientConfig },
);
export type WebhookClientConfig = TypeOf<typeof webhookClientConfig>;

const fields = {
  admissionReviewVersions: required(
    list(string(), { doc: 'The versions of AdmissionReview that it understands.', check: checkVersions }),
  ),
  clientConfig: required(refine(webhookClientConfig, { doc: 'How it is reached.' })),
  failurePolicy: oneOf(['Fail', 'Ignore'], {
    doc: 'What becomes of a request when it fails.',
    default: 'Fail',
  }),
  matchConditions: keyedList(['name'], matchCondition, {
    doc: 'What must be true of a request beside the rules.',
    check(conditions, at, report) {
      if (conditions.length > conditionsMax) report.tooMany(at, conditions.length, conditionsMax);
      for (const [index, { name }] of conditions.entries()) {
        for (const wrong of qualifiedName(name)) report.invalid(at.index(index).child('name'), name, wrong);
      }
      distinct<MatchCondition>('name')(conditions, at, report);
    },
    mergeKey: 'name',
  }),
  matchPolicy: oneOf(['Exact', 'Equivalent'], {
    doc: 'Whether requests in another version of a resource that the rules name are meant too.',
    default: 'Equivalent',
  }),
  name: required(string({ doc: 'Its full name, such as imagepolicy.example.com.', check: checkName })),
  namespaceSelector: refine(labelSelector, { doc: 'Which namespaces; all if empty.', default: {} }),
  objectSelector: refine(labelSelector, { doc: 'Which objects; all if empty.', default: {} }),
  rules: list(ruleWithOperations, { doc: 'Which requests it is asked about.' }),
  sideEffects: required(
    oneOf(['None', 'NoneOnDryRun'], { doc: 'Whether asking it has effects of its own.' }),
  ),
  timeoutSeconds: integer({
    doc: 'How long an answer may take.',
    default: 10,
    check(seconds, at, report) {
      if (seconds >= 1 && seconds <= timeoutSecondsMax) return;
      report.invalid(at, seconds, 'the timeout value must be between 1 and 30 seconds');
    },
  }),
};

export const validatingWebhook = object(`${group}.ValidatingWebhook`, fields);
export type ValidatingWebhook = TypeOf<typeof validatingWebhook>;

export const mutatingWebhook = object(`${group}.MutatingWebhook`, {
  ...fields,
  reinvocationPolicy: oneOf(['Never', 'IfNeeded'], {
    doc: 'Whether it is asked again when others changed the object after it.',
    default: 'Never',
  }),
});
export type MutatingWebhook = TypeOf<typeof mutatingWebhook>;

function checkName(name: string, at: Path, report: Report): void {
  const wrong = dns1123Subdomain(name);
  for (const each of wrong) report.invalid(at, name, each);
  if (wrong.length === 0 && name.split('.').length < 3) {
    report.invalid(at, name, 'should be a domain with at least three segments separated by dots');
  }
}

function checkVersions(versions: string[], at: Path, report: Report): void {
  for (const [index, version] of versions.entries()) {
    for (const wrong of dns1035Label(version)) report.invalid(at.index(index), version, wrong);
    if (versions.indexOf(version) !== index) report.invalid(at.index(index), version, 'duplicate version');
  }
  if (versions.some((version) => reviewVersions.includes(version))) return;
  report.invalid(at, versions, `must include at least one of ${reviewVersions.join(', ')}`);
}

interface Checked {
  apiGroups?: string[];
  apiVersions?: string[];
  operations?: string[];
  resources?: string[];
}

function checkRule(rule: Checked, at: Path, report: Report): void {
  const { operations = [], resources = [] } = rule;
  for (const [field, what] of [
    ['apiGroups', 'API groups'],
    ['apiVersions', 'API versions'],
    ['operations', 'operations'],
  ] as const) {
    const values = rule[field] ?? [];
    if (values.length <= 1 || !values.includes('*')) continue;
    report.invalid(at.child(field), values, `if '*' is present, must not specify other ${what}`);
  }
  for (const [index, version] of (rule.apiVersions ?? []).entries()) {
    if (version === '') report.required(at.child('apiVersions').index(index));
  }
  for (const [index, operation] of operations.entries()) {
    if (admissionOperations.some((known) => known === operation)) continue;
    report.unsupported(at.child('operations').index(index), operation, admissionOperations);
  }
  checkResources(resources, at.child('resources'), report);
}

function checkResources(resources: string[], at: Path, report: Report): void {
  const [all, subresources] = [new Set<string>(), new Set<string>()];
  for (const [index, resource] of resources.entries()) {
    if (resource === '') report.required(at.index(index));
    const [main, sub] = resource.split('/');
    if (sub === undefined) continue;
    if (all.has(main!)) {
      report.invalid(at.index(index), resource, `if '${main}/*' is present, must not specify ${resource}`);
    }
    if (subresources.has(sub)) {
      report.invalid(at.index(index), resource, `if '*/${sub}' is present, must not specify ${resource}`);
    }
    if (sub === '*') all.add(main!);
    if (main === '*') subresources.add(sub);
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    report.invalid(at, resources, "if '*/*' is present, must not specify other resources");
  }
  const plain = resources.filter((resource) => resource !== '*' && !resource.includes('/'));
  if (resources.includes('*') && plain.length > 0) {
    report.invalid(at, resources, "if '*' is present, must not specify other resources without subresources");
  }
}

function checkClientConfig(
  { url, service }: { url?: string; service?: { path?: string } },
  at: Path,
  report: Report,
): void {
  if ((url === undefined) === (service === undefined)) {
    report.required(at, 'exactly one of url or service is required');
  } else if (url !== undefined) checkUrl(url, at.child('url'), report);
  else if (service?.path !== undefined) checkPath(service.path, at.child('service').child('path'), report);
}

const form = '; desired format: https://host[/path]';

function checkUrl(text: string, at: Path, report: Report): void {
  const url = URL.parse(text);
  if (!url) {
    report.required(at, `url must be a valid URL: ${JSON.stringify(text)}${form}`);
    return;
  }
  if (url.protocol !== 'https:') {
    report.invalid(at, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`);
  }
  if (url.host === '') report.invalid(at, '', `host must be specified${form}`);
  if (url.username !== '') report.invalid(at, url.username, 'user information is not permitted in the URL');
  if (url.hash !== '') report.invalid(at, url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search !== '') {
    report.invalid(at, url.search.slice(1), 'query parameters are not permitted in the URL');
  }
}

function checkPath(path: string, at: Path, report: Report): void {
  if (path === '' || path === '/') return;
  if (!path.startsWith('/')) report.invalid(at, path, "must start with a '/'");
  for (const [index, segment] of path.slice(1).replace(/\/$/, '').split('/').entries()) {
    if (segment === '') report.invalid(at, path, `segment[${index}] may not be empty`);
    else {
      for (const wrong of dns1123Subdomain(segment)) report.invalid(at, path, `segment[${index}]: ${wrong}`);
    }
  }
}
