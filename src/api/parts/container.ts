import { distinct, follows, relativePath } from '../checks.ts';
import { dns1123Label, portName } from '../names.ts';
import {
  boolean,
  type Check,
  integer,
  keyedList,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { envFromSource, envVar } from './environment.ts';
import { defaultPullPolicy } from './imageReference.ts';
import { lifecycle, type Probe, probe } from './probe.ts';
import { resourceRequirements } from './resources.ts';
import { securityContext } from './securityContext.ts';

export const containerPort = object(
  'io.k8s.api.core.v1.ContainerPort',
  {
    name: string({ doc: 'A name that services and probes can use.', check: follows(portName) }),
    containerPort: required(integer({ doc: 'The port that the program listens on.', min: 1, max: 65535 })),
    protocol: oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.', default: 'TCP' }),
    hostIP: string({ doc: 'The address of the node that hostPort is bound to.' }),
    hostPort: integer({ doc: 'A port of the node that leads here.', min: 1, max: 65535 }),
  },
  { doc: 'A port of a container.' },
);
export type ContainerPort = TypeOf<typeof containerPort>;

export const containerResizePolicy = object('io.k8s.api.core.v1.ContainerResizePolicy', {
  resourceName: required(oneOf(['cpu', 'memory'])),
  restartPolicy: required(oneOf(['NotRequired', 'RestartContainer'])),
});
export type ContainerResizePolicy = TypeOf<typeof containerResizePolicy>;

export const volumeMount = object(
  'io.k8s.api.core.v1.VolumeMount',
  {
    name: required(string({ doc: "The volume's name." })),
    mountPath: required(string({ doc: 'Where the container sees it.' })),
    mountPropagation: oneOf(['None', 'HostToContainer', 'Bidirectional'], {
      doc: 'How mounts are passed on between node and container.',
    }),
    readOnly: boolean({ doc: 'Whether writing is refused.' }),
    recursiveReadOnly: string({ doc: 'Whether that holds for mounts below it too.' }),
    subPath: string({ doc: 'A path inside the volume instead of its root.', check: relativePath }),
    subPathExpr: string({
      doc: 'Like subPath, with $(NAME) for environment variables.',
      check: relativePath,
    }),
  },
  { doc: 'Where a volume appears in a container.' },
);
export type VolumeMount = TypeOf<typeof volumeMount>;

export const volumeDevice = object('io.k8s.api.core.v1.VolumeDevice', {
  devicePath: required(string()),
  name: required(string()),
});
export type VolumeDevice = TypeOf<typeof volumeDevice>;

/** Liveness and startup probes end a failure with the first success. */
const succeedsAtOnce: Check<Probe> = (value, at, report) => {
  probe.check?.(value, at, report);
  const { successThreshold = 1 } = value;
  if (successThreshold !== 1) report.invalid(at.child('successThreshold'), successThreshold, 'must be 1');
};

const noGracePeriod: Check<Probe> = (value, at, report) => {
  probe.check?.(value, at, report);
  const { terminationGracePeriodSeconds: seconds } = value;
  if (seconds === undefined) return;
  report.invalid(at.child('terminationGracePeriodSeconds'), seconds, 'must not be set for readinessProbes');
};

const fields = {
  name: required(string({ doc: 'A name that is unique in the pod.', check: follows(dns1123Label) })),
  image: string({ doc: 'The image that it runs.' }),
  imagePullPolicy: oneOf(['Always', 'IfNotPresent', 'Never'], {
    doc: 'When to pull the image; Always if its tag is latest or absent, else IfNotPresent.',
    default: ({ image }) => defaultPullPolicy(image),
  }),
  command: list(string(), { doc: "Instead of the image's entry point." }),
  args: list(string(), { doc: "Instead of the image's arguments." }),
  workingDir: string({ doc: "Instead of the image's working directory." }),
  ports: keyedList(['containerPort', 'protocol'], containerPort, {
    doc: 'The ports that it listens on.',
    check: distinct<ContainerPort>('name'),
  }),
  env: keyedList(['name'], envVar, { doc: 'Environment variables.' }),
  envFrom: list(envFromSource, { doc: 'Environment variables from ConfigMaps and Secrets.' }),
  resources: refine(resourceRequirements, { default: {}, doc: 'What it needs, and the most that it gets.' }),
  resizePolicy: list(containerResizePolicy),
  volumeMounts: keyedList(['mountPath'], volumeMount, {
    doc: 'Volumes that it sees.',
    check: checkMountPaths,
  }),
  volumeDevices: keyedList(['devicePath'], volumeDevice, { doc: 'Raw block devices that it sees.' }),
  livenessProbe: refine(probe, { doc: 'Failing restarts the container.', check: succeedsAtOnce }),
  readinessProbe: refine(probe, { doc: 'Failing takes the pod out of its services.', check: noGracePeriod }),
  startupProbe: refine(probe, { doc: 'The other probes wait for its success.', check: succeedsAtOnce }),
  lifecycle,
  terminationMessagePath: string({
    doc: 'The file whose content becomes the termination message.',
    default: '/dev/termination-log',
  }),
  terminationMessagePolicy: oneOf(['File', 'FallbackToLogsOnError'], {
    doc: 'Where the termination message comes from.',
    default: 'File',
  }),
  securityContext,
  stdin: boolean({ doc: 'Whether it gets a standard input.' }),
  stdinOnce: boolean({ doc: 'Whether that ends with the first client.' }),
  tty: boolean({ doc: 'Whether it gets a terminal.' }),
};

export const container = object(
  'io.k8s.api.core.v1.Container',
  {
    ...fields,
    restartPolicy: oneOf(['Always'], { doc: 'Always makes an init container a sidecar.' }),
  },
  { doc: 'A program that runs in a pod.', check: checkContainer },
);
export type Container = TypeOf<typeof container>;

export const ephemeralContainer = object(
  'io.k8s.api.core.v1.EphemeralContainer',
  {
    ...fields,
    restartPolicy: string(),
    targetContainerName: string({ doc: 'The container whose processes it sees.' }),
  },
  { doc: 'A container that is added to a running pod to look into it.', check: checkContainer },
);
export type EphemeralContainer = TypeOf<typeof ephemeralContainer>;

interface Checked {
  image?: string;
  securityContext?: { privileged?: boolean };
  volumeMounts?: VolumeMount[];
}

function checkContainer(...[container, at, report]: Parameters<Check<Checked>>): void {
  const { image, securityContext: { privileged } = {}, volumeMounts = [] } = container;
  for (const { mountPropagation } of volumeMounts) {
    if (mountPropagation !== 'Bidirectional' || privileged) continue;
    const why = 'Bidirectional mount propagation is available only to privileged containers';
    report.forbidden(at.child('volumeMounts').child('mountPropagation'), why);
  }

  if (!image) report.required(at.child('image'));
}

function checkMountPaths(...[mounts, at, report]: Parameters<Check<VolumeMount[]>>): void {
  const seen = new Set<string>();
  for (const [index, { mountPath }] of mounts.entries()) {
    if (seen.has(mountPath)) report.invalid(at.index(index).child('mountPath'), mountPath, 'must be unique');
    seen.add(mountPath);
  }
}
