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
import { envFromSource, envVar } from './environment.ts';
import { lifecycle, probe } from './probe.ts';
import { securityContext } from './securityContext.ts';

export const containerPort = object('io.k8s.api.core.v1.ContainerPort', {
  containerPort: required(integer()),
  hostIP: string(),
  hostPort: integer(),
  name: string(),
  protocol: oneOf(['TCP', 'UDP', 'SCTP']),
});
export type ContainerPort = TypeOf<typeof containerPort>;

export const resourceClaim = object('io.k8s.api.core.v1.ResourceClaim', {
  name: required(string()),
  request: string(),
});
export type ResourceClaim = TypeOf<typeof resourceClaim>;

export const resourceRequirements = object('io.k8s.api.core.v1.ResourceRequirements', {
  claims: keyedList(['name'], resourceClaim, { mergeKey: undefined }),
  limits: map(quantity()),
  requests: map(quantity()),
});
export type ResourceRequirements = TypeOf<typeof resourceRequirements>;

export const containerResizePolicy = object('io.k8s.api.core.v1.ContainerResizePolicy', {
  resourceName: required(oneOf(['cpu', 'memory'])),
  restartPolicy: required(oneOf(['NotRequired', 'RestartContainer'])),
});
export type ContainerResizePolicy = TypeOf<typeof containerResizePolicy>;

export const volumeMount = object('io.k8s.api.core.v1.VolumeMount', {
  mountPath: required(string()),
  mountPropagation: oneOf(['None', 'HostToContainer', 'Bidirectional']),
  name: required(string()),
  readOnly: boolean(),
  recursiveReadOnly: string(),
  subPath: string(),
  subPathExpr: string(),
});
export type VolumeMount = TypeOf<typeof volumeMount>;

export const volumeDevice = object('io.k8s.api.core.v1.VolumeDevice', {
  devicePath: required(string()),
  name: required(string()),
});
export type VolumeDevice = TypeOf<typeof volumeDevice>;

export const container = object('io.k8s.api.core.v1.Container', {
  args: list(string()),
  command: list(string()),
  env: keyedList(['name'], envVar),
  envFrom: list(envFromSource),
  image: string(),
  imagePullPolicy: oneOf(['Always', 'IfNotPresent', 'Never']),
  lifecycle,
  livenessProbe: probe,
  name: required(string()),
  ports: keyedList(['containerPort', 'protocol'], containerPort),
  readinessProbe: probe,
  resizePolicy: list(containerResizePolicy),
  resources: resourceRequirements,
  restartPolicy: oneOf(['Always']),
  securityContext,
  startupProbe: probe,
  stdin: boolean(),
  stdinOnce: boolean(),
  terminationMessagePath: string(),
  terminationMessagePolicy: oneOf(['File', 'FallbackToLogsOnError']),
  tty: boolean(),
  volumeDevices: keyedList(['devicePath'], volumeDevice),
  volumeMounts: keyedList(['mountPath'], volumeMount),
  workingDir: string(),
});
export type Container = TypeOf<typeof container>;

export const ephemeralContainer = object('io.k8s.api.core.v1.EphemeralContainer', {
  args: list(string()),
  command: list(string()),
  env: keyedList(['name'], envVar),
  envFrom: list(envFromSource),
  image: string(),
  imagePullPolicy: oneOf(['Always', 'IfNotPresent', 'Never']),
  lifecycle,
  livenessProbe: probe,
  name: required(string()),
  ports: keyedList(['containerPort', 'protocol'], containerPort),
  readinessProbe: probe,
  resizePolicy: list(containerResizePolicy),
  resources: resourceRequirements,
  restartPolicy: string(),
  securityContext,
  startupProbe: probe,
  stdin: boolean(),
  stdinOnce: boolean(),
  targetContainerName: string(),
  terminationMessagePath: string(),
  terminationMessagePolicy: oneOf(['File', 'FallbackToLogsOnError']),
  tty: boolean(),
  volumeDevices: keyedList(['devicePath'], volumeDevice),
  volumeMounts: keyedList(['mountPath'], volumeMount),
  workingDir: string(),
});
export type EphemeralContainer = TypeOf<typeof ephemeralContainer>;
