import {
  boolean,
  integer,
  keyedList,
  list,
  map,
  object,
  oneOf,
  quantity,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { affinity, toleration, topologySpreadConstraint } from './affinity.ts';
import { container, ephemeralContainer, resourceRequirements } from './container.ts';
import { localObjectReference, objectMeta } from './meta.ts';
import { podSecurityContext } from './securityContext.ts';
import { volume } from './volume.ts';

export const podDNSConfigOption = object('io.k8s.api.core.v1.PodDNSConfigOption', {
  name: string(),
  value: string(),
});
export type PodDNSConfigOption = TypeOf<typeof podDNSConfigOption>;

export const podDNSConfig = object('io.k8s.api.core.v1.PodDNSConfig', {
  nameservers: list(string()),
  options: list(podDNSConfigOption),
  searches: list(string()),
});
export type PodDNSConfig = TypeOf<typeof podDNSConfig>;

export const hostAlias = object('io.k8s.api.core.v1.HostAlias', {
  hostnames: list(string()),
  ip: required(string()),
});
export type HostAlias = TypeOf<typeof hostAlias>;

export const podReadinessGate = object('io.k8s.api.core.v1.PodReadinessGate', {
  conditionType: required(string()),
});
export type PodReadinessGate = TypeOf<typeof podReadinessGate>;

export const podResourceClaim = object('io.k8s.api.core.v1.PodResourceClaim', {
  name: required(string()),
  resourceClaimName: string(),
  resourceClaimTemplateName: string(),
});
export type PodResourceClaim = TypeOf<typeof podResourceClaim>;

export const podSchedulingGate = object('io.k8s.api.core.v1.PodSchedulingGate', {
  name: required(string()),
});
export type PodSchedulingGate = TypeOf<typeof podSchedulingGate>;

export const podOS = object('io.k8s.api.core.v1.PodOS', {
  name: required(oneOf(['linux', 'windows'])),
});
export type PodOS = TypeOf<typeof podOS>;

export const podSpec = object('io.k8s.api.core.v1.PodSpec', {
  activeDeadlineSeconds: integer(),
  affinity,
  automountServiceAccountToken: boolean(),
  containers: required(keyedList(['name'], container)),
  dnsConfig: podDNSConfig,
  dnsPolicy: oneOf(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']),
  enableServiceLinks: boolean(),
  ephemeralContainers: keyedList(['name'], ephemeralContainer),
  hostAliases: keyedList(['ip'], hostAlias),
  hostIPC: boolean(),
  hostNetwork: boolean(),
  hostPID: boolean(),
  hostUsers: boolean(),
  hostname: string(),
  imagePullSecrets: keyedList(['name'], localObjectReference),
  initContainers: keyedList(['name'], container),
  nodeName: string(),
  nodeSelector: map(string()),
  os: podOS,
  overhead: map(quantity()),
  preemptionPolicy: oneOf(['Never', 'PreemptLowerPriority']),
  priority: integer(),
  priorityClassName: string(),
  readinessGates: list(podReadinessGate),
  resourceClaims: keyedList(['name'], podResourceClaim),
  resources: resourceRequirements,
  restartPolicy: oneOf(['Always', 'OnFailure', 'Never']),
  runtimeClassName: string(),
  schedulerName: string(),
  schedulingGates: keyedList(['name'], podSchedulingGate),
  securityContext: podSecurityContext,
  serviceAccount: string(),
  serviceAccountName: string(),
  setHostnameAsFQDN: boolean(),
  shareProcessNamespace: boolean(),
  subdomain: string(),
  terminationGracePeriodSeconds: integer(),
  tolerations: list(toleration),
  topologySpreadConstraints: keyedList(['topologyKey', 'whenUnsatisfiable'], topologySpreadConstraint),
  volumes: keyedList(['name'], volume),
});
export type PodSpec = TypeOf<typeof podSpec>;

export const podTemplateSpec = object('io.k8s.api.core.v1.PodTemplateSpec', {
  metadata: objectMeta,
  spec: podSpec,
});
export type PodTemplateSpec = TypeOf<typeof podTemplateSpec>;
