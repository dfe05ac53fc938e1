import { serviceColumns } from '../columns/service.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { condition } from '../parts/meta.ts';
import {
  boolean,
  integer,
  intOrString,
  keyedList,
  list,
  map,
  object,
  oneOf,
  required,
  string,
  type TypeOf,
} from '../schema.ts';

export const servicePort = object('io.k8s.api.core.v1.ServicePort', {
  appProtocol: string(),
  name: string(),
  nodePort: integer(),
  port: required(integer()),
  protocol: oneOf(['TCP', 'UDP', 'SCTP']),
  targetPort: intOrString(),
});
export type ServicePort = TypeOf<typeof servicePort>;

export const clientIPConfig = object('io.k8s.api.core.v1.ClientIPConfig', {
  timeoutSeconds: integer(),
});
export type ClientIPConfig = TypeOf<typeof clientIPConfig>;

export const sessionAffinityConfig = object('io.k8s.api.core.v1.SessionAffinityConfig', {
  clientIP: clientIPConfig,
});
export type SessionAffinityConfig = TypeOf<typeof sessionAffinityConfig>;

export const serviceSpec = object('io.k8s.api.core.v1.ServiceSpec', {
  allocateLoadBalancerNodePorts: boolean(),
  clusterIP: string(),
  clusterIPs: list(string()),
  externalIPs: list(string()),
  externalName: string(),
  externalTrafficPolicy: oneOf(['Cluster', 'Local']),
  healthCheckNodePort: integer(),
  internalTrafficPolicy: oneOf(['Cluster', 'Local']),
  ipFamilies: list(string()),
  ipFamilyPolicy: oneOf(['SingleStack', 'PreferDualStack', 'RequireDualStack']),
  loadBalancerClass: string(),
  loadBalancerIP: string(),
  loadBalancerSourceRanges: list(string()),
  ports: keyedList(['port', 'protocol'], servicePort),
  publishNotReadyAddresses: boolean(),
  selector: map(string()),
  sessionAffinity: oneOf(['ClientIP', 'None']),
  sessionAffinityConfig,
  trafficDistribution: oneOf(['PreferClose', 'PreferSameZone', 'PreferSameNode']),
  type: oneOf(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']),
});
export type ServiceSpec = TypeOf<typeof serviceSpec>;

export const portStatus = object('io.k8s.api.core.v1.PortStatus', {
  error: string(),
  port: required(integer()),
  protocol: required(oneOf(['TCP', 'UDP', 'SCTP'])),
});
export type PortStatus = TypeOf<typeof portStatus>;

export const loadBalancerIngress = object('io.k8s.api.core.v1.LoadBalancerIngress', {
  hostname: string(),
  ip: string(),
  ipMode: oneOf(['VIP', 'Proxy']),
  ports: list(portStatus),
});
export type LoadBalancerIngress = TypeOf<typeof loadBalancerIngress>;

export const loadBalancerStatus = object('io.k8s.api.core.v1.LoadBalancerStatus', {
  ingress: list(loadBalancerIngress),
});
export type LoadBalancerStatus = TypeOf<typeof loadBalancerStatus>;

export const serviceStatus = object('io.k8s.api.core.v1.ServiceStatus', {
  conditions: keyedList(['type'], condition),
  loadBalancer: loadBalancerStatus,
});
export type ServiceStatus = TypeOf<typeof serviceStatus>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Service',
  { apiVersion: 'v1', kind: 'Service' },
  {
    spec: serviceSpec,
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
  schema,
  subresources: { status: true },
  columns: serviceColumns,
  selectableFields: {
    'spec.clusterIP': (service) => service.spec?.clusterIP ?? '',
    'spec.type': (service) => service.spec?.type ?? '',
  },
});
