import { follows } from '../checks.ts';
import { nodeColumns } from '../columns/node.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelValue, qualifiedName } from '../names.ts';
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
  setList,
  string,
  type TypeOf,
  time,
  type UpdateCheck,
} from '../schema.ts';

export const taint = object(
  'io.k8s.api.core.v1.Taint',
  {
    key: required(string({ doc: 'The name that tolerations use.', check: follows(qualifiedName) })),
    value: string({ doc: 'The value that tolerations compare with.', check: follows(labelValue) }),
    effect: required(oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], { doc: 'What it keeps away.' })),
    timeAdded: time({ doc: 'When it was added.' }),
  },
  { doc: 'Keeps pods away that do not tolerate it.' },
);
export type Taint = TypeOf<typeof taint>;

export const configMapNodeConfigSource = object('io.k8s.api.core.v1.ConfigMapNodeConfigSource', {
  kubeletConfigKey: required(string()),
  name: required(string()),
  namespace: required(string()),
  resourceVersion: string(),
  uid: string(),
});
export type ConfigMapNodeConfigSource = TypeOf<typeof configMapNodeConfigSource>;

export const nodeConfigSource = object('io.k8s.api.core.v1.NodeConfigSource', {
  configMap: configMapNodeConfigSource,
});
export type NodeConfigSource = TypeOf<typeof nodeConfigSource>;

function setOnce(...[next, previous, at, report]: Parameters<UpdateCheck<string>>): void {
  if (previous && next !== previous) report.forbidden(at, 'node updates may not change it once it is set');
}

export const nodeSpec = object('io.k8s.api.core.v1.NodeSpec', {
  configSource: nodeConfigSource,
  externalID: string({ doc: 'No longer used.' }),
  podCIDR: string({ doc: 'The addresses of its pods.', checkUpdate: setOnce }),
  podCIDRs: setList(string(), { doc: 'The addresses of its pods.' }),
  providerID: string({ doc: 'What its provider calls it.', checkUpdate: setOnce }),
  taints: list(taint, { doc: 'What keeps pods away.' }),
  unschedulable: boolean({ doc: 'Whether it takes no new pods.' }),
});
export type NodeSpec = TypeOf<typeof nodeSpec>;

export const attachedVolume = object('io.k8s.api.core.v1.AttachedVolume', {
  devicePath: required(string()),
  name: required(string()),
});
export type AttachedVolume = TypeOf<typeof attachedVolume>;

export const nodeAddress = object('io.k8s.api.core.v1.NodeAddress', {
  address: required(string({ doc: 'The address.' })),
  type: required(string({ doc: 'InternalIP, ExternalIP, Hostname and others.' })),
});
export type NodeAddress = TypeOf<typeof nodeAddress>;

export const nodeCondition = object('io.k8s.api.core.v1.NodeCondition', {
  lastHeartbeatTime: time({ doc: 'When it was reported last.' }),
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type NodeCondition = TypeOf<typeof nodeCondition>;

export const nodeConfigStatus = object('io.k8s.api.core.v1.NodeConfigStatus', {
  active: nodeConfigSource,
  assigned: nodeConfigSource,
  error: string(),
  lastKnownGood: nodeConfigSource,
});
export type NodeConfigStatus = TypeOf<typeof nodeConfigStatus>;

export const daemonEndpoint = object('io.k8s.api.core.v1.DaemonEndpoint', {
  Port: required(integer({ doc: 'The port.' })),
});
export type DaemonEndpoint = TypeOf<typeof daemonEndpoint>;

export const nodeDaemonEndpoints = object('io.k8s.api.core.v1.NodeDaemonEndpoints', {
  kubeletEndpoint: daemonEndpoint,
});
export type NodeDaemonEndpoints = TypeOf<typeof nodeDaemonEndpoints>;

export const nodeFeatures = object('io.k8s.api.core.v1.NodeFeatures', {
  supplementalGroupsPolicy: boolean(),
});
export type NodeFeatures = TypeOf<typeof nodeFeatures>;

export const containerImage = object('io.k8s.api.core.v1.ContainerImage', {
  names: list(string(), { doc: 'Its names.' }),
  sizeBytes: integer({ doc: 'Its size.' }),
});
export type ContainerImage = TypeOf<typeof containerImage>;

export const nodeSystemInfo = object('io.k8s.api.core.v1.NodeSystemInfo', {
  architecture: required(string({ doc: 'E.g. amd64.' })),
  bootID: required(string({ doc: 'Changes with every boot.' })),
  containerRuntimeVersion: required(string({ doc: 'The runtime and its version.' })),
  kernelVersion: required(string({ doc: "The kernel's version." })),
  kubeProxyVersion: required(string({ doc: 'No longer used.' })),
  kubeletVersion: required(string({ doc: "The agent's version." })),
  machineID: required(string({ doc: "The machine's id." })),
  operatingSystem: required(string({ doc: 'E.g. linux.' })),
  osImage: required(string({ doc: 'The name of the system.' })),
  systemUUID: required(string({ doc: "The machine's UUID." })),
});
export type NodeSystemInfo = TypeOf<typeof nodeSystemInfo>;

export const nodeRuntimeHandlerFeatures = object('io.k8s.api.core.v1.NodeRuntimeHandlerFeatures', {
  recursiveReadOnlyMounts: boolean(),
  userNamespaces: boolean(),
});
export type NodeRuntimeHandlerFeatures = TypeOf<typeof nodeRuntimeHandlerFeatures>;

export const nodeRuntimeHandler = object('io.k8s.api.core.v1.NodeRuntimeHandler', {
  features: nodeRuntimeHandlerFeatures,
  name: string(),
});
export type NodeRuntimeHandler = TypeOf<typeof nodeRuntimeHandler>;

export const nodeStatus = object('io.k8s.api.core.v1.NodeStatus', {
  addresses: keyedList(['type'], nodeAddress, { doc: 'Where it is reached.' }),
  allocatable: map(quantity(), { doc: 'What pods can have.' }),
  capacity: map(quantity(), { doc: 'What it has.' }),
  conditions: keyedList(['type'], nodeCondition, { doc: 'Ready and others.' }),
  config: nodeConfigStatus,
  daemonEndpoints: nodeDaemonEndpoints,
  features: nodeFeatures,
  images: list(containerImage, { doc: 'The images that it has.' }),
  nodeInfo: nodeSystemInfo,
  phase: string({ doc: 'No longer used.' }),
  runtimeHandlers: list(nodeRuntimeHandler, { doc: 'The runtimes that it offers.' }),
  volumesAttached: list(attachedVolume, { doc: 'Volumes that are attached to it.' }),
  volumesInUse: list(string(), { doc: 'Volumes that are in use.' }),
});
export type NodeStatus = TypeOf<typeof nodeStatus>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Node',
  { apiVersion: 'v1', kind: 'Node' },
  {
    spec: nodeSpec,
    status: nodeStatus,
  },
  'Node is a machine that runs pods.',
);

export interface Node extends ObjectOf<typeof schema> {}

export const node = defineKind<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  schema,
  subresources: { status: true },
  columns: nodeColumns,
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec?.unschedulable ?? false) },
  statusWritesMetadata: true,
  keepsStatusOnCreate: true,
  countsGenerations: false,
});
