import { isIP } from 'node:net';
import { follows, portNumberOrName } from '../checks.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1035Label, dns1123Subdomain, pathSegment, portName, wildcardSubdomain } from '../names.ts';
import { typedLocalObjectReference } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import { GoText, type Report } from '../report.ts';
import {
  type Check,
  integer,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const name = <N extends string>(type: N) => `io.k8s.api.networking.v1.${type}` as const;

export const serviceBackendPort = object(
  name('ServiceBackendPort'),
  {
    name: string({ doc: "The port's name in the Service.", check: checkPortName }),
    number: integer({ doc: "The port's number in the Service.", check: checkPortNumber }),
  },
  { listType: 'atomic' },
);

export const ingressServiceBackend = object(name('IngressServiceBackend'), {
  name: required(string({ doc: 'The Service, in the same namespace.', check: follows(dns1035Label) })),
  port: refine(serviceBackendPort, { doc: 'Which of its ports.' }),
});

export const ingressBackend = object(
  name('IngressBackend'),
  {
    resource: refine(typedLocalObjectReference, {
      doc: 'Another object of the same namespace that answers, instead of a Service.',
      check: checkReference,
    }),
    service: refine(ingressServiceBackend, { doc: 'The Service that answers.' }),
  },
  { check: checkBackend },
);
export type IngressBackend = TypeOf<typeof ingressBackend>;

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'] as const;

export const httpIngressPath = object(
  name('HTTPIngressPath'),
  {
    backend: required(refine(ingressBackend, { doc: 'Who answers.', default: {} })),
    path: string({ doc: 'The beginning of the path, or the whole of it.' }),
    pathType: required(
      oneOf(pathTypes, {
        doc: 'Exact, Prefix (by parts between slashes), or as the controller likes.',
        absent: 'pathType must be specified',
      }),
    ),
  },
  { check: checkPath },
);

export const httpIngressRuleValue = object(name('HTTPIngressRuleValue'), {
  paths: required(list(httpIngressPath, { doc: 'Who answers which paths.' })),
});

export const ingressRule = object(name('IngressRule'), {
  host: string({ doc: 'The host name that is asked for; every one if absent.', check: checkRuleHost }),
  http: refine(httpIngressRuleValue, { doc: 'What becomes of its paths.' }),
});

export const ingressTLS = object(name('IngressTLS'), {
  hosts: list(string({ check: checkHost }), { doc: 'The host names that the certificate is for.' }),
  secretName: string({ doc: 'The Secret with key and certificate.', check: checkSecretName }),
});

const noRules = new GoText('[]networking.IngressRule(nil)');

export const ingressSpec = object(
  name('IngressSpec'),
  {
    defaultBackend: refine(ingressBackend, { doc: 'Who answers what no rule is about.' }),
    ingressClassName: string({
      doc: 'The IngressClass whose controller serves it.',
      check: follows(dns1123Subdomain),
    }),
    rules: list(ingressRule, { doc: 'Who answers what.' }),
    tls: list(ingressTLS, { doc: 'The certificates to serve with.' }),
  },
  {
    check({ rules, defaultBackend }, at, report) {
      if (rules?.length || defaultBackend) return;
      report.invalid(at, rules ?? noRules, 'either `defaultBackend` or `rules` must be specified');
    },
  },
);
export type IngressSpec = TypeOf<typeof ingressSpec>;

export const ingressPortStatus = object(name('IngressPortStatus'), {
  error: string({ doc: 'Why it is not served.' }),
  port: required(integer({ doc: 'The port.' })),
  protocol: required(oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.' })),
});

export const ingressLoadBalancerIngress = object(name('IngressLoadBalancerIngress'), {
  hostname: string({ doc: 'The name.' }),
  ip: string({ doc: 'The address.' }),
  ports: list(ingressPortStatus, { doc: 'The ports there.' }),
});

export const ingressLoadBalancerStatus = object(name('IngressLoadBalancerStatus'), {
  ingress: list(ingressLoadBalancerIngress, { doc: 'Where it is reached.' }),
});

export const ingressStatus = object(name('IngressStatus'), {
  loadBalancer: refine(ingressLoadBalancerStatus, { doc: 'Where it is reached.', default: {} }),
});

const schema = kindSchema(
  name('Ingress'),
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
  { spec: refine(ingressSpec, { default: {} }), status: ingressStatus },
  'Ingress says which requests from outside, by host name and path, go to which Services.',
);

export interface Ingress extends ObjectOf<typeof schema> {}

const classAnnotation = 'kubernetes.io/ingress.class';

export const ingress = defineKind<Ingress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  namespaced: true,
  schema,
  subresources: { status: true },
  checkCreate({ metadata, spec }, report, root) {
    const annotated = metadata?.annotations?.[classAnnotation];
    if (annotated === undefined || spec?.ingressClassName === undefined) return;
    if (annotated === spec.ingressClassName) return;
    const at = root.child('annotations').child(classAnnotation);
    report.invalid(at, annotated, 'must match `ingressClassName` when both are specified');
  },
  columns: [
    nameColumn,
    { name: 'Class', doc: 'Its IngressClass.', value: ({ spec }) => spec?.ingressClassName ?? '<none>' },
    { name: 'Hosts', doc: 'The host names that it is about.', value: hostsText },
    { name: 'Address', doc: 'Where it is reached.', value: addressText },
    { name: 'Ports', doc: 'On which ports.', value: ({ spec }) => (spec?.tls?.length ? '80, 443' : '80') },
    ageColumn,
  ],
});

function checkPortName(...[value, at, report]: Parameters<Check<string>>): void {
  if (value !== '') follows(portName)(value, at, report);
}

function checkPortNumber(...[value, at, report]: Parameters<Check<number>>): void {
  if (value !== 0) portNumberOrName(value, at, report);
}

function checkSecretName(...[value, at, report]: Parameters<Check<string>>): void {
  if (value !== '') follows(dns1123Subdomain)(value, at, report);
}

function checkRuleHost(host: string, at: Path, report: Report): void {
  if (host === '') return;
  if (isIP(host) !== 0) report.invalid(at, host, 'must be a DNS name, not an IP address');
  checkHost(host, at, report);
}

function checkHost(host: string, at: Path, report: Report): void {
  follows(host.includes('*') ? wildcardSubdomain : dns1123Subdomain)(host, at, report);
}

function checkReference(
  { apiGroup, kind, name: referred }: { apiGroup?: string; kind: string; name: string },
  at: Path,
  report: Report,
): void {
  if (apiGroup !== undefined) follows(dns1123Subdomain)(apiGroup, at.child('apiGroup'), report);
  if (kind) follows(pathSegment)(kind, at.child('kind'), report);
  if (referred) follows(pathSegment)(referred, at.child('name'), report);
}

function checkBackend(
  { resource, service }: { resource?: object; service?: { port?: { name?: string; number?: number } } },
  at: Path,
  report: Report,
): void {
  if (resource && service) report.invalid(at, '', 'cannot set both resource and service backends');
  else if (!resource && !service) report.invalid(at, '', 'resource or service backend is required');
  if (resource || !service) return;
  const { name: byName, number: byNumber } = service.port ?? {};
  if (byName && byNumber) report.invalid(at, '', 'cannot set both port name & port number');
  if (!byName && !byNumber) report.required(at, 'port name or number is required');
}

const refusedSequences = ['//', '/./', '/../', '%2f', '%2F'];
const refusedEndings = ['/..', '/.'];

function checkPath(
  { path = '', pathType }: { path?: string; pathType?: string },
  pathAt: Path,
  report: Report,
): void {
  const at = pathAt.child('path');
  const mayBeAbsent = pathType === 'ImplementationSpecific';
  if (!path.startsWith('/') && !(mayBeAbsent && path === '')) {
    if (pathTypes.some((known) => known === pathType)) report.invalid(at, path, 'must be an absolute path');
  }
  if (mayBeAbsent) return;
  for (const sequence of refusedSequences) {
    if (path.includes(sequence)) report.invalid(at, path, `must not contain '${sequence}'`);
  }
  for (const ending of refusedEndings) {
    if (path.endsWith(ending)) report.invalid(at, path, `cannot end with '${ending}'`);
  }
}

const hostsShown = 3;

function hostsText({ spec }: Ingress): string {
  const rules = spec?.rules ?? [];
  const hosts = rules.flatMap(({ host }) => (host ? [host] : []));
  if (hosts.length === 0) return '*';
  const shown = hosts.slice(0, hostsShown).join(',');
  // As in Kubernetes, rules without a host after the third one count too.
  const third = rules.findIndex((rule) => rule.host === hosts[hostsShown - 1]);
  const hasMore = hosts.length >= hostsShown && third < rules.length - 1;
  return hasMore ? `${shown} + ${rules.length - hostsShown} more...` : shown;
}

function addressText({ status }: Ingress): string {
  const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  return [...new Set(addresses.filter(Boolean))].sort().join(',');
}
