import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1035Label, dns1123Subdomain, pathSegment } from '../names.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  boolean,
  bytes,
  integer,
  keyedList,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const name = <N extends string>(type: N) =>
  `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.${type}` as const;

export const serviceReference = object(name('ServiceReference'), {
  name: string({ doc: 'The Service.' }),
  namespace: string({ doc: 'Its namespace.' }),
  port: integer({ doc: 'Its port.', default: 443 }),
});

export const apiServiceSpec = object(name('APIServiceSpec'), {
  caBundle: bytes({ doc: 'Who has signed the certificate of the server there, in PEM, in base64.' }),
  group: string({ doc: 'The API group.' }),
  groupPriorityMinimum: required(integer({ doc: 'How far in front clients prefer the group.', default: 0 })),
  insecureSkipTLSVerify: boolean({ doc: 'Whether that certificate is not to be checked.' }),
  service: refine(serviceReference, { doc: 'Who serves the version; this server itself if absent.' }),
  version: string({ doc: 'The version of the group.' }),
  versionPriority: required(
    integer({ doc: 'How far in front it is among the versions of its group.', default: 0 }),
  ),
});
export type ApiServiceSpec = TypeOf<typeof apiServiceSpec>;

export const apiServiceCondition = object(name('APIServiceCondition'), {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'Available.' })),
});

export const apiServiceStatus = object(name('APIServiceStatus'), {
  conditions: keyedList(['type'], apiServiceCondition, { doc: 'What is known of it.' }),
});

const schema = kindSchema(
  name('APIService'),
  { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' },
  { spec: refine(apiServiceSpec, { default: {} }), status: apiServiceStatus },
  'APIService says who serves a version of an API group.',
);

export interface APIService extends ObjectOf<typeof schema> {}

export const apiService = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  categories: ['api-extensions'],
  namespaced: false,
  countsGenerations: false,
  nameRule: pathSegment,
  schema,
  subresources: { status: true },
  check: checkApiService,
  columns: [
    nameColumn,
    {
      name: 'Service',
      doc: 'Who serves it.',
      value: ({ spec }) => (spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local'),
    },
    { name: 'Available', doc: 'Whether it can be asked.', value: availableText },
    ageColumn,
  ],
});

const groupPriorityMax = 20_000;
const versionPriorityMax = 1_000;

function checkApiService({ metadata, spec }: APIService, report: Report, root: Path): void {
  const at = root.child('spec');
  const { group = '', version = '', groupPriorityMinimum: priority = 0, versionPriority = 0 } = spec ?? {};
  const wanted = `${version}.${group}`;
  if (metadata?.name !== wanted) {
    const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
    report.invalid(root.child('metadata').child('name'), metadata?.name ?? '', why);
  }
  if (group === '' && version !== 'v1') {
    report.required(at.child('group'), 'only v1 may have an empty group and it better be legacy kube');
  }
  if (group !== '')
    for (const wrong of dns1123Subdomain(group)) report.invalid(at.child('group'), group, wrong);
  for (const wrong of dns1035Label(version)) report.invalid(at.child('version'), version, wrong);
  if (priority <= 0 || priority > groupPriorityMax) {
    const why = 'must be positive and less than 20000';
    report.invalid(at.child('groupPriorityMinimum'), priority, why);
  }
  if (versionPriority <= 0 || versionPriority > versionPriorityMax) {
    report.invalid(at.child('versionPriority'), versionPriority, 'must be positive and less than 1000');
  }
  if (spec?.service) checkService(spec, at, report);
  else checkLocal(spec ?? {}, at, report);
}

function checkLocal(
  { caBundle = '', insecureSkipTLSVerify }: { caBundle?: string; insecureSkipTLSVerify?: boolean },
  at: Path,
  report: Report,
): void {
  if (caBundle !== '') {
    const bundle = `${Buffer.from(caBundle, 'base64').length} bytes`;
    report.invalid(at.child('caBundle'), bundle, 'local APIServices may not have a caBundle');
  }
  if (insecureSkipTLSVerify) {
    const why = 'local APIServices may not have insecureSkipTLSVerify';
    report.invalid(at.child('insecureSkipTLSVerify'), true, why);
  }
}

function checkService(
  { service, caBundle, insecureSkipTLSVerify }: ApiServiceSpec,
  specAt: Path,
  report: Report,
): void {
  const at = specAt.child('service');
  const { namespace, name: serviceName, port = 0 } = service ?? {};
  if (!namespace) report.required(at.child('namespace'));
  if (!serviceName) report.required(at.child('name'));
  if (port < 1 || port > 65535) {
    report.invalid(at.child('port'), port, 'port is not valid: must be between 1 and 65535, inclusive');
  }
  if (insecureSkipTLSVerify && caBundle) {
    report.invalid(specAt.child('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present');
  }
}

function availableText({ status }: APIService): string {
  const available = status?.conditions?.find(({ type }) => type === 'Available');
  if (!available) return 'Unknown';
  const { status: is, reason } = available;
  return is === 'True' || !reason ? is : `${is} (${reason})`;
}
