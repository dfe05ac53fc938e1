/** What a kubelet's node, its Lease and a pod with one container look like, of about the usual size. */

const labelsOf = (name: string, index: number) => ({
  'kubernetes.io/hostname': name,
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': 'amd64',
  'topology.kubernetes.io/zone': `zone-${index % 10}`,
});

export const nodeName = (index: number) => `node-${String(index).padStart(5, '0')}`;

export const node = (index: number) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: nodeName(index), labels: labelsOf(nodeName(index), index) },
  // More nodes than the default range has subnets for.
  spec: { podCIDR: `10.${128 + (index >> 8)}.${index & 255}.0/24` },
});

const reasons: Record<string, [string, string]> = {
  MemoryPressure: ['False', 'KubeletHasSufficientMemory'],
  DiskPressure: ['False', 'KubeletHasNoDiskPressure'],
  PIDPressure: ['False', 'KubeletHasSufficientPID'],
  Ready: ['True', 'KubeletReady'],
};

export const nodeStatus = (index: number) => {
  const resources = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  const time = now();
  return {
    addresses: [
      { type: 'InternalIP', address: `172.16.${index >> 8}.${index & 255}` },
      { type: 'Hostname', address: nodeName(index) },
    ],
    capacity: resources,
    allocatable: resources,
    conditions: Object.entries(reasons).map(([type, [status, reason]]) => ({
      type,
      status,
      reason,
      message: `kubelet says ${reason}`,
      lastHeartbeatTime: time,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    })),
    nodeInfo: {
      architecture: 'amd64',
      bootID: '',
      containerRuntimeVersion: 'containerd://2.0.0',
      kernelVersion: '6.1.0',
      kubeProxyVersion: 'v1.32.0',
      kubeletVersion: 'v1.32.0',
      machineID: nodeName(index),
      operatingSystem: 'linux',
      osImage: 'Debian GNU/Linux 12',
      systemUUID: nodeName(index),
    },
    images: [{ names: ['my-app:1.0.0'], sizeBytes: 50_000_000 }],
  };
};

export const lease = (index: number) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: nodeName(index), namespace: 'kube-node-lease' },
  spec: { holderIdentity: nodeName(index), leaseDurationSeconds: 40, renewTime: microNow() },
});

export const pod = (index: number, nodes: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `pod-${index}`, namespace: `space-${index % 50}`, labels: { app: `app-${index % 500}` } },
  spec: { nodeName: nodeName(index % nodes), ...podSpec },
});

export const podSpec = {
  containers: [
    {
      name: 'main',
      image: 'my-app:1.0.0',
      ports: [{ containerPort: 8080 }],
      env: [{ name: 'PORT', value: '8080' }],
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
    },
  ],
};

export const podStatus = (index: number) => ({
  phase: 'Running',
  podIP: `10.42.${(index >> 8) & 255}.${index & 255}`,
  startTime: now(),
  conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: now(),
  })),
  containerStatuses: [
    {
      name: 'main',
      image: 'my-app:1.0.0',
      imageID: 'sha256:0',
      containerID: `isolate://${index}`,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now() } },
    },
  ],
});

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

export function microNow(): string {
  return `${new Date().toISOString().slice(0, 23)}000Z`;
}
