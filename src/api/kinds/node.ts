import { follows } from '../checks.ts';
import { nodeColumns } from '../columns/node.ts';
import { isEqualJson } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelValue, qualifiedName } from '../names.ts';
import { addressFamily, checkRange, readRange } from '../network-address.ts';
import type { Path } from '../path.ts';
import { compareQuantities } from '../quantity.ts';
import type { Report } from '../report.ts';
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
    effect: required(
      oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], { doc: 'What it keeps away.', inOrder: true }),
    ),
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
  const why = 'node updates may not change providerID except from "" to valid';
  if (previous && next !== previous) report.forbidden(at, why);
}

export const nodeSpec = object(
  'io.k8s.api.core.v1.NodeSpec',
  {
    configSource: nodeConfigSource,
    externalID: string({ doc: 'No longer used.' }),
    podCIDR: string({ doc: 'The addresses of its pods; the first of podCIDRs.' }),
    podCIDRs: setList(string(), {
      doc: 'The addresses of its pods: one range, or one of IPv4 and one of IPv6.',
      check: checkRanges,
      checkUpdate: keepRanges,
    }),
    providerID: string({ doc: 'What its provider calls it.', checkUpdate: setOnce }),
    taints: list(taint, { doc: 'What keeps pods away.' }),
    unschedulable: boolean({ doc: 'Whether it takes no new pods.' }),
  },
  { complete: completeRanges },
);
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
  check: checkNode,
});

// The two say the same; what podCIDR says counts.
function completeRanges(spec: { podCIDR?: string; podCIDRs?: string[] }): void {
  const { podCIDR, podCIDRs = [] } = spec;
  if (podCIDR && podCIDR !== podCIDRs[0]) spec.podCIDRs = [podCIDR];
  else if (!podCIDR && podCIDRs[0]) spec.podCIDR = podCIDRs[0];
}

const familiesMax = 2;

function checkRanges(texts: string[], at: Path, report: Report): void {
  for (const [index, text] of texts.entries()) checkRange(text, at.index(index), report);
  const families = new Set(texts.map((text) => addressFamily(text.split('/')[0]!)));
  const isDual = texts.length === familiesMax && families.size === familiesMax && texts.every(readRange);
  if (texts.length > 1 && !isDual)
    report.invalid(at, texts, 'may specify no more than one CIDR for each IP family');
  for (const [index, text] of texts.entries())
    if (texts.indexOf(text) < index) report.duplicate(at.index(index), text);
}

function keepRanges(...[next = [], previous = [], at, report]: Parameters<UpdateCheck<string[]>>): void {
  if (previous.length === 0 || isEqualJson(next, previous)) return;
  report.forbidden(at, 'node updates may not change podCIDR except from "" to valid');
}

function checkNode({ spec, status }: Node, report: Report, root: Path): void {
  // Kubernetes names this place for them.
  checkTaints(spec?.taints ?? [], root.child('metadata').child('taints'), report);
  for (const field of ['capacity', 'allocatable'] as const) {
    for (const [name, amount] of Object.entries(status?.[field] ?? {})) {
      if (compareQuantities(amount, 0) >= 0) continue;
      report.invalid(
        root.child('status').child(field).child(name),
        amount,
        'must be greater than or equal to 0',
      );
    }
  }
}

function checkTaints(taints: Taint[], at: Path, report: Report): void {
  const seen = new Set<string>();
  for (const [index, { key, effect }] of taints.entries()) {
    const pair = `${key}:${effect}`;
    if (seen.has(pair)) {
      report.duplicate(at.index(index), taints[index], 'taints must be unique by key and effect pair');
    }
    seen.add(pair);
  }
}
