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
  time,
} from '../schema.ts';
import { resourceRequirements } from './resources.ts';

export const containerStateRunning = object('io.k8s.api.core.v1.ContainerStateRunning', {
  startedAt: time(),
});
export type ContainerStateRunning = TypeOf<typeof containerStateRunning>;

export const containerStateTerminated = object('io.k8s.api.core.v1.ContainerStateTerminated', {
  containerID: string(),
  exitCode: required(integer()),
  finishedAt: time(),
  message: string(),
  reason: string(),
  signal: integer(),
  startedAt: time(),
});
export type ContainerStateTerminated = TypeOf<typeof containerStateTerminated>;

export const containerStateWaiting = object('io.k8s.api.core.v1.ContainerStateWaiting', {
  message: string(),
  reason: string(),
});
export type ContainerStateWaiting = TypeOf<typeof containerStateWaiting>;

export const containerState = object('io.k8s.api.core.v1.ContainerState', {
  running: containerStateRunning,
  terminated: containerStateTerminated,
  waiting: containerStateWaiting,
});
export type ContainerState = TypeOf<typeof containerState>;

export const linuxContainerUser = object('io.k8s.api.core.v1.LinuxContainerUser', {
  gid: required(integer()),
  supplementalGroups: list(integer()),
  uid: required(integer()),
});
export type LinuxContainerUser = TypeOf<typeof linuxContainerUser>;

export const containerUser = object('io.k8s.api.core.v1.ContainerUser', {
  linux: linuxContainerUser,
});
export type ContainerUser = TypeOf<typeof containerUser>;

export const resourceHealth = object('io.k8s.api.core.v1.ResourceHealth', {
  health: string(),
  resourceID: required(string()),
});
export type ResourceHealth = TypeOf<typeof resourceHealth>;

export const resourceStatus = object('io.k8s.api.core.v1.ResourceStatus', {
  name: required(string()),
  resources: keyedList(['resourceID'], resourceHealth, { mergeKey: undefined }),
});
export type ResourceStatus = TypeOf<typeof resourceStatus>;

export const volumeMountStatus = object('io.k8s.api.core.v1.VolumeMountStatus', {
  mountPath: required(string()),
  name: required(string()),
  readOnly: boolean(),
  recursiveReadOnly: string(),
});
export type VolumeMountStatus = TypeOf<typeof volumeMountStatus>;

export const containerStatus = object('io.k8s.api.core.v1.ContainerStatus', {
  allocatedResources: map(quantity()),
  allocatedResourcesStatus: keyedList(['name'], resourceStatus),
  containerID: string(),
  image: required(string()),
  imageID: required(string()),
  lastState: containerState,
  name: required(string()),
  ready: required(boolean()),
  resources: resourceRequirements,
  restartCount: required(integer()),
  started: boolean(),
  state: containerState,
  stopSignal: string(),
  user: containerUser,
  volumeMounts: keyedList(['mountPath'], volumeMountStatus),
});
export type ContainerStatus = TypeOf<typeof containerStatus>;

export const hostIP = object('io.k8s.api.core.v1.HostIP', {
  ip: required(string()),
});
export type HostIP = TypeOf<typeof hostIP>;

export const podIP = object('io.k8s.api.core.v1.PodIP', {
  ip: required(string()),
});
export type PodIP = TypeOf<typeof podIP>;

export const podCondition = object('io.k8s.api.core.v1.PodCondition', {
  lastProbeTime: time(),
  lastTransitionTime: time(),
  message: string(),
  observedGeneration: integer(),
  reason: string(),
  status: required(oneOf(['True', 'False', 'Unknown'])),
  type: required(string()),
});
export type PodCondition = TypeOf<typeof podCondition>;

export const podResourceClaimStatus = object('io.k8s.api.core.v1.PodResourceClaimStatus', {
  name: required(string()),
  resourceClaimName: string(),
});
export type PodResourceClaimStatus = TypeOf<typeof podResourceClaimStatus>;

export const podStatus = object('io.k8s.api.core.v1.PodStatus', {
  conditions: keyedList(['type'], podCondition),
  containerStatuses: list(containerStatus),
  ephemeralContainerStatuses: list(containerStatus),
  hostIP: string(),
  hostIPs: list(hostIP, { mergeKey: 'ip' }),
  initContainerStatuses: list(containerStatus),
  message: string(),
  nominatedNodeName: string(),
  observedGeneration: integer(),
  phase: oneOf(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']),
  podIP: string(),
  podIPs: keyedList(['ip'], podIP),
  qosClass: oneOf(['Guaranteed', 'Burstable', 'BestEffort']),
  reason: string(),
  resize: string(),
  resourceClaimStatuses: keyedList(['name'], podResourceClaimStatus),
  startTime: time(),
});
export type PodStatus = TypeOf<typeof podStatus>;
