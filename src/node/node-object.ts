import { readFileSync } from 'node:fs';
import { arch, platform, release, type as systemName } from 'node:os';
import { conditionOf } from '../api/conditions.ts';
import type { Node } from '../api/kinds/node.ts';
import { volumesFolderAnnotation } from '../api/local-path.ts';
import { toTime } from '../base/clock.ts';
import type { MachineFacts } from './machine.ts';

export interface NodeDescription {
  name: string;
  /** The site that the node stands in. */
  zone: string;
  labels: Record<string, string>;
  /** The address under which others reach this machine. */
  internalIP: string;
  kubeletPort: number;
  /** `host:port` that other nodes dial for the mesh; absent until the mesh port is open. */
  meshAddress?: string | undefined;
  /** This package's version. */
  version: string;
  machineId: string;
  podsMax: number;
  /** Where it keeps the folders of claims. */
  volumesFolder: string;
  isShuttingDown?: boolean;
}

/** The Kubernetes version whose API and behaviour this agent follows; clients compare with it. */
export const kubernetesVersion = 'v1.32.0';
const memoryLeastBytes = 100 * 1024 * 1024;
const diskLeastBytes = 500 * 1024 * 1024;

/** The Node object as an agent registers it. */
export function nodeObject(description: NodeDescription): Node {
  const { name, zone, labels, meshAddress, volumesFolder } = description;
  return {
    metadata: {
      name,
      labels: {
        ...labels,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': goSystem(),
        'kubernetes.io/arch': goArchitecture(),
        ...(zone && { 'topology.kubernetes.io/zone': zone }),
      },
      annotations: {
        [volumesFolderAnnotation]: volumesFolder,
        ...(meshAddress && { 'selvage.dev/mesh-address': meshAddress }),
      },
    },
    spec: {},
  } as Node;
}

/** The Node's status. Conditions keep their transition time while they stay the same. */
export function nodeStatus(
  description: NodeDescription,
  machine: MachineFacts,
  at: { before: Node['status']; nowMs: number },
): NonNullable<Node['status']> {
  const resources = {
    cpu: String(machine.cpuCores),
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
    pods: String(description.podsMax),
  };
  return {
    addresses: [
      { type: 'InternalIP', address: description.internalIP },
      { type: 'Hostname', address: description.name },
    ],
    capacity: resources,
    allocatable: resources,
    conditions: conditions(machine, at, description.isShuttingDown ?? false),
    daemonEndpoints: { kubeletEndpoint: { Port: description.kubeletPort } },
    nodeInfo: {
      architecture: goArchitecture(),
      bootID: '',
      containerRuntimeVersion: `isolate://${process.versions.node}`,
      kernelVersion: release(),
      kubeProxyVersion: '',
      kubeletVersion: `${kubernetesVersion}+selvage.${description.version}`,
      machineID: description.machineId,
      operatingSystem: goSystem(),
      osImage: systemImage(),
      systemUUID: description.machineId,
    },
  };
}

const ready = {
  type: 'Ready',
  status: 'True' as const,
  reason: 'KubeletReady',
  message: 'kubelet is posting ready status',
};
const shuttingDown = {
  type: 'Ready',
  status: 'False' as const,
  reason: 'KubeletNotReady',
  message: 'node is shutting down',
};

type Condition = NonNullable<NonNullable<Node['status']>['conditions']>[number];

function conditions(
  machine: MachineFacts,
  at: { before: Node['status']; nowMs: number },
  isShuttingDown: boolean,
): Condition[] {
  const memory = machine.memoryAvailableBytes < memoryLeastBytes;
  const disk = machine.diskAvailableBytes < diskLeastBytes;
  const pids = machine.processes > machine.processesMax * 0.9;
  const found = [
    pressure('MemoryPressure', memory, ['InsufficientMemory', 'SufficientMemory']),
    pressure('DiskPressure', disk, ['DiskPressure', 'NoDiskPressure']),
    pressure('PIDPressure', pids, ['InsufficientPID', 'SufficientPID']),
    isShuttingDown ? shuttingDown : ready,
  ];
  const time = toTime(at.nowMs);
  return found.map((condition) => {
    const before = conditionOf({ status: at.before }, condition.type);
    const isSame = before?.status === condition.status;
    const lastTransitionTime = (isSame && before?.lastTransitionTime) || time;
    return { ...condition, lastHeartbeatTime: time, lastTransitionTime };
  });
}

/** `KubeletHasSufficientMemory`, "kubelet has sufficient memory": reason and message as kubelet words them. */
function pressure(type: string, isShort: boolean, [lack, enough]: [string, string]) {
  const what = isShort ? lack : enough;
  const words = what
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/\b[A-Z](?=[a-z])/g, (letter) => letter.toLowerCase())
    .replace('PID', 'PID available');
  return {
    type,
    status: isShort ? ('True' as const) : ('False' as const),
    reason: `KubeletHas${what}`,
    message: `kubelet has ${words}${what === 'SufficientMemory' ? ' available' : ''}`,
  };
}

/** `Debian GNU/Linux 13 (trixie)`: what os-release(5) calls the system; elsewhere its name and release. */
function systemImage(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const name = /^PRETTY_NAME="?([^"\n]+)/m.exec(text)?.[1];
    if (name) return name;
  } catch {
    // Only Linux has the file.
  }
  return `${systemName()} ${release()}`;
}

/** Go's names for what Node calls `win32` and `x64`, which Kubernetes' labels use. */
const goSystem = (): string => ({ win32: 'windows' })[platform() as string] ?? platform();
export const goArchitecture = (): string => ({ x64: 'amd64', ia32: '386' })[arch() as string] ?? arch();
