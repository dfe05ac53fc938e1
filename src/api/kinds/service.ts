import { isIP } from 'node:net';
import { distinct, follows, portNumberOrName } from '../checks.ts';
import { serviceColumns } from '../columns/service.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1035Label, dns1123Label, dns1123Subdomain, qualifiedName } from '../names.ts';
import { checkOrdinaryAddress, checkRange } from '../network-address.ts';
import { condition } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  boolean,
  type Check,
  integer,
  intOrString,
  keyedList,
  list,
  map,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { validateLabels } from '../validate-metadata.ts';

export const servicePort = object(
  'io.k8s.api.core.v1.ServicePort',
  {
    name: string({ doc: 'A name; needed when there are several ports.', check: follows(dns1123Label) }),
    protocol: oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.', default: 'TCP' }),
    appProtocol: string({ doc: 'What is spoken on it, e.g. http.', check: follows(qualifiedName) }),
    port: required(integer({ doc: 'The port of the service.', min: 1, max: 65535 })),
    targetPort: intOrString({
      doc: 'The port of the pods, by number or name.',
      // A declared port has this type; what else stands here, decoding has refused.
      default: ({ port }) => port as number | undefined,
      check: portNumberOrName,
    }),
    nodePort: integer({ doc: 'The port of every node that leads here.', min: 1, max: 65535 }),
  },
  { doc: 'A port of a service.' },
);
export type ServicePort = TypeOf<typeof servicePort>;

export const clientIPConfig = object('io.k8s.api.core.v1.ClientIPConfig', {
  timeoutSeconds: integer({ doc: 'How long a client stays with a pod.', default: 10800, min: 1, max: 86400 }),
});
export type ClientIPConfig = TypeOf<typeof clientIPConfig>;

export const sessionAffinityConfig = object('io.k8s.api.core.v1.SessionAffinityConfig', {
  clientIP: refine(clientIPConfig, { default: {} }),
});
export type SessionAffinityConfig = TypeOf<typeof sessionAffinityConfig>;

const isInternal = ({ type }: Record<string, unknown>) => type !== 'ExternalName';
/** Whether it is reached from outside the cluster. */
export const isExposed = ({ type, externalIPs }: { type?: unknown; externalIPs?: unknown }) =>
  type === 'NodePort' ||
  type === 'LoadBalancer' ||
  (type === 'ClusterIP' && Array.isArray(externalIPs) && externalIPs.length > 0);

export const serviceSpec = object(
  'io.k8s.api.core.v1.ServiceSpec',
  {
    type: oneOf(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], {
      doc: 'How the service is reached.',
      default: 'ClusterIP',
    }),
    selector: map(string(), {
      doc: 'The labels of the pods behind it.',
      listType: 'atomic',
      check: validateLabels,
    }),
    ports: keyedList(['port', 'protocol'], servicePort, { doc: 'Its ports.', check: checkPorts }),
    clusterIP: string({ doc: 'Its address inside the cluster; None for a headless service.' }),
    clusterIPs: list(string(), { doc: 'Its addresses inside the cluster.' }),
    externalIPs: list(string(), { doc: 'Further addresses that lead here.' }),
    externalName: string({
      doc: 'The name that it stands for (type ExternalName).',
      check: follows((name) => dns1123Subdomain(name.replace(/\.$/, ''))),
    }),
    externalTrafficPolicy: oneOf(['Cluster', 'Local'], {
      doc: 'Whether traffic from outside stays on the node that it met.',
      default: (spec) => (isExposed(spec) ? 'Cluster' : undefined),
    }),
    internalTrafficPolicy: oneOf(['Cluster', 'Local'], {
      doc: 'Whether traffic from inside stays on its node.',
      default: (spec) => (isInternal(spec) ? 'Cluster' : undefined),
    }),
    trafficDistribution: oneOf(['PreferClose', 'PreferSameZone', 'PreferSameNode'], {
      doc: 'Which endpoints are preferred.',
    }),
    sessionAffinity: oneOf(['ClientIP', 'None'], {
      doc: 'Whether a client stays with one pod.',
      default: 'None',
    }),
    sessionAffinityConfig: refine(sessionAffinityConfig, {
      default: ({ sessionAffinity }) => (sessionAffinity === 'ClientIP' ? {} : undefined),
    }),
    ipFamilies: list(string(), { doc: 'IPv4 or IPv6.', check: checkFamilies }),
    ipFamilyPolicy: oneOf(['SingleStack', 'PreferDualStack', 'RequireDualStack']),
    allocateLoadBalancerNodePorts: boolean({
      doc: 'Whether a load balancer gets node ports too.',
      default: ({ type }) => (type === 'LoadBalancer' ? true : undefined),
    }),
    loadBalancerClass: string({ check: follows(qualifiedName) }),
    loadBalancerIP: string({ doc: 'The address that is asked for.' }),
    loadBalancerSourceRanges: list(string()),
    healthCheckNodePort: integer({ min: 0, max: 65535 }),
    publishNotReadyAddresses: boolean({ doc: 'Whether pods that are not ready count as endpoints.' }),
  },
  {
    doc: 'What the service offers.',
    check: checkServiceSpec,
  },
);
export type ServiceSpec = TypeOf<typeof serviceSpec>;

export const portStatus = object('io.k8s.api.core.v1.PortStatus', {
  error: string({ doc: 'Why it is not served.' }),
  port: required(integer({ doc: 'The port.' })),
  protocol: required(oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.' })),
});
export type PortStatus = TypeOf<typeof portStatus>;

export const loadBalancerIngress = object('io.k8s.api.core.v1.LoadBalancerIngress', {
  hostname: string({ doc: 'The name.' }),
  ip: string({ doc: 'The address.' }),
  ipMode: oneOf(['VIP', 'Proxy'], { doc: 'How traffic arrives.' }),
  ports: list(portStatus, { doc: 'The ports there, and what is wrong with them.' }),
});
export type LoadBalancerIngress = TypeOf<typeof loadBalancerIngress>;

export const loadBalancerStatus = object('io.k8s.api.core.v1.LoadBalancerStatus', {
  ingress: list(loadBalancerIngress, { doc: 'The addresses that lead to the service.' }),
});
export type LoadBalancerStatus = TypeOf<typeof loadBalancerStatus>;

export const serviceStatus = object('io.k8s.api.core.v1.ServiceStatus', {
  conditions: keyedList(['type'], condition, { doc: 'What is known of it.' }),
  loadBalancer: loadBalancerStatus,
});
export type ServiceStatus = TypeOf<typeof serviceStatus>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Service',
  { apiVersion: 'v1', kind: 'Service' },
  {
    spec: refine(serviceSpec, { default: {} }),
    status: serviceStatus,
  },
  'Service is a stable name and address for a set of pods.',
);

export interface Service extends ObjectOf<typeof schema> {}

export const service = defineKind<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  countsGenerations: false,
  nameRule: dns1035Label,
  schema,
  check: checkSourceRanges,
  checkCreate({ spec }, report, root) {
    const { clusterIP, clusterIPs } = spec ?? {};
    if (!clusterIP || !clusterIPs?.length || clusterIPs[0] === clusterIP) return;
    const at = root.child('spec').child('clusterIPs');
    report.invalid(at, clusterIPs, 'first value must match `clusterIP`');
  },
  checkUpdate: (...update) => {
    checkAddress(...update);
    checkHealthCheckPort(...update);
  },
  subresources: { status: true },
  columns: serviceColumns,
  selectableFields: {
    'spec.clusterIP': (service) => service.spec?.clusterIP ?? '',
    'spec.type': (service) => service.spec?.type ?? '',
  },
});

function checkPorts(...[ports, at, report]: Parameters<Check<ServicePort[]>>): void {
  distinct<ServicePort>('name')(ports, at, report);
  const seen = new Set<string>();
  for (const [index, { name, port, protocol }] of ports.entries()) {
    if (ports.length > 1 && !name) report.required(at.index(index).child('name'));
    const key = `${protocol}/${port}`;
    if (seen.has(key)) report.duplicate(at.index(index), { protocol, port });
    seen.add(key);
  }
}

interface CheckedSpec {
  type?: string;
  clusterIP?: string;
  externalName?: string;
  externalIPs?: string[];
  ports?: ServicePort[];
  externalTrafficPolicy?: string;
  allocateLoadBalancerNodePorts?: boolean;
  loadBalancerClass?: string;
  healthCheckNodePort?: number;
}

function checkServiceSpec(spec: CheckedSpec, at: Path, report: Report): void {
  const { type, clusterIP = '' } = spec;
  checkOutside(spec, at, report);
  if (type === 'ExternalName') {
    if (!spec.externalName) report.required(at.child('externalName'));
    if (clusterIP !== '') {
      report.forbidden(at.child('clusterIPs'), 'may not be set for ExternalName services');
    }
    return;
  }
  const isHeadless = clusterIP === 'None';
  if (isHeadless && type !== 'ClusterIP') {
    report.invalid(
      at.child('clusterIPs').index(0),
      clusterIP,
      `may not be set to 'None' for ${type} services`,
    );
  }
  if (!isHeadless && !spec.ports?.length) report.required(at.child('ports'));
  if (clusterIP !== '' && !isHeadless && isIP(clusterIP) === 0)
    report.invalid(at.child('clusterIPs').index(0), clusterIP, badAddress);
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    const addressAt = at.child('externalIPs').index(index);
    if (isIP(address) === 0) report.invalid(addressAt, address, badAddress);
    else checkOrdinaryAddress(address, addressAt, report);
  }
}

const onlyForBalancers = "may only be used when `type` is 'LoadBalancer'";
const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** They were an annotation once, where they could be padded; the field has the precedence, and may be so too. */
function checkSourceRanges({ spec, metadata }: Service, report: Report, root: Path): void {
  const ranges = spec?.loadBalancerSourceRanges ?? [];
  const annotated = metadata?.annotations?.[rangesAnnotation];
  if (ranges.length === 0 && annotated === undefined) return;
  const at =
    ranges.length > 0
      ? root.child('spec').child('LoadBalancerSourceRanges')
      : root.child('metadata').child('annotations').key(rangesAnnotation);
  if (spec?.type !== 'LoadBalancer') report.forbidden(at, onlyForBalancers);
  for (const [index, range] of ranges.entries()) checkRange(range.trim(), at.index(index), report);
  if (ranges.length > 0 || !annotated?.trim()) return;
  for (const range of annotated.split(',')) checkRange(range.trim(), at, report);
}

function checkFamilies(families: string[], at: Path, report: Report): void {
  for (const [index, family] of families.entries()) {
    if (family !== 'IPv4' && family !== 'IPv6') report.unsupported(at.index(index), family, ['IPv4', 'IPv6']);
    else if (families.indexOf(family) < index) report.duplicate(at.index(index), family);
  }
}

/** What only Services that are reached from outside have. */
function checkOutside(spec: CheckedSpec, at: Path, report: Report): void {
  const { externalTrafficPolicy: policy, healthCheckNodePort: port, type } = spec;
  if (policy !== undefined && !isExposed(spec)) {
    const why = 'may only be set for externally-accessible services';
    report.invalid(at.child('externalTrafficPolicy'), policy, why);
  }
  if (port && !hasHealthCheck(spec)) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    report.invalid(at.child('healthCheckNodePort'), port, why);
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && type !== 'LoadBalancer') {
    report.forbidden(at.child('allocateLoadBalancerNodePorts'), onlyForBalancers);
  }
  if (spec.loadBalancerClass !== undefined && type !== 'LoadBalancer') {
    report.forbidden(at.child('loadBalancerClass'), onlyForBalancers);
  }
  for (const [index, { nodePort }] of (spec.ports ?? []).entries()) {
    if (!nodePort || type !== 'ClusterIP') continue;
    const why = "may not be used when `type` is 'ClusterIP'";
    report.forbidden(at.child('ports').index(index).child('nodePort'), why);
  }
}

/** Whether balancers outside ask each node if it has pods of the Service. */
export function hasHealthCheck({
  type,
  externalTrafficPolicy,
}: Pick<CheckedSpec, 'type' | 'externalTrafficPolicy'>): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

const badAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

// A service keeps its address for life, unless it becomes or was an ExternalName.
function checkAddress(next: Service, previous: Service, report: Report, root: Path): void {
  if (next.spec?.type === 'ExternalName' || previous.spec?.type === 'ExternalName') return;
  const before = previous.spec?.clusterIP;
  if (before && next.spec?.clusterIP !== before) {
    const at = root.child('spec').child('clusterIPs').index(0);
    report.invalid(at, next.spec?.clusterIPs ?? [], 'may not change once set');
  }
}

function checkHealthCheckPort(next: Service, previous: Service, report: Report, root: Path): void {
  if (!hasHealthCheck(next.spec ?? {}) || !hasHealthCheck(previous.spec ?? {})) return;
  const before = previous.spec?.healthCheckNodePort;
  if (before && next.spec?.healthCheckNodePort !== before)
    report.forbidden(root.child('spec').child('healthCheckNodePort'), 'field is immutable');
}
