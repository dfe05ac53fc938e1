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
  startedAt: time({ doc: 'When it started.' }),
});
export type ContainerStateRunning = TypeOf<typeof containerStateRunning>;

export const containerStateTerminated = object('io.k8s.api.core.v1.ContainerStateTerminated', {
  containerID: string({ doc: "The runtime's name for it." }),
  exitCode: required(integer({ doc: 'Its exit status.' })),
  finishedAt: time({ doc: 'When it ended.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word.' }),
  signal: integer({ doc: 'The signal that ended it.' }),
  startedAt: time({ doc: 'When it started.' }),
});
export type ContainerStateTerminated = TypeOf<typeof containerStateTerminated>;

export const containerStateWaiting = object('io.k8s.api.core.v1.ContainerStateWaiting', {
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why it does not run yet, in one word.' }),
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
  containerID: string({ doc: "The runtime's name for it." }),
  image: required(string({ doc: 'The image that it runs.' })),
  imageID: required(string({ doc: "The image's digest." })),
  lastState: containerState,
  name: required(string({ doc: "The container's name." })),
  ready: required(boolean({ doc: 'Whether its readiness probe succeeds.' })),
  resources: resourceRequirements,
  restartCount: required(integer({ doc: 'How often it was restarted.' })),
  started: boolean({ doc: 'Whether it has passed its startup probe.' }),
  state: containerState,
  user: containerUser,
  volumeMounts: keyedList(['mountPath'], volumeMountStatus),
});
export type ContainerStatus = TypeOf<typeof containerStatus>;

export const hostIP = object('io.k8s.api.core.v1.HostIP', {
  ip: required(string({ doc: 'An address.' })),
});
export type HostIP = TypeOf<typeof hostIP>;

export const podIP = object('io.k8s.api.core.v1.PodIP', {
  ip: required(string({ doc: 'An address.' })),
});
export type PodIP = TypeOf<typeof podIP>;

export const podCondition = object('io.k8s.api.core.v1.PodCondition', {
  lastProbeTime: time({ doc: 'When it was checked last.' }),
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type PodCondition = TypeOf<typeof podCondition>;

export const podResourceClaimStatus = object(
  'io.k8s.api.core.v1.PodResourceClaimStatus',
  {
    name: required(string()),
    resourceClaimName: string(),
  },
  { retainKeys: true },
);
export type PodResourceClaimStatus = TypeOf<typeof podResourceClaimStatus>;

export const podStatus = object('io.k8s.api.core.v1.PodStatus', {
  conditions: keyedList(['type'], podCondition, {
    doc: 'PodScheduled, Initialized, ContainersReady, Ready and others.',
  }),
  containerStatuses: list(containerStatus, { doc: 'What the containers do.' }),
  ephemeralContainerStatuses: list(containerStatus, { doc: 'What the ephemeral containers do.' }),
  hostIP: string({ doc: "Its node's address." }),
  hostIPs: list(hostIP, { mergeKey: 'ip' }),
  initContainerStatuses: list(containerStatus, { doc: 'What the init containers do.' }),
  message: string({ doc: 'Why it is in this state, for people.' }),
  nominatedNodeName: string({ doc: 'The node that it waits for while others are preempted.' }),
  phase: oneOf(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'], {
    doc: 'Pending, Running, Succeeded, Failed or Unknown.',
  }),
  podIP: string({ doc: 'Its address.' }),
  podIPs: keyedList(['ip'], podIP, { doc: 'Its addresses.' }),
  qosClass: oneOf(['Guaranteed', 'Burstable', 'BestEffort'], {
    doc: 'Guaranteed, Burstable or BestEffort, from its resources.',
  }),
  reason: string({ doc: 'Why, in one word.' }),
  resize: string(),
  resourceClaimStatuses: keyedList(['name'], podResourceClaimStatus),
  startTime: time({ doc: 'When the node took it on.' }),
});
export type PodStatus = TypeOf<typeof podStatus>;
