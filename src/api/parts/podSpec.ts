import { distinct, follows } from '../checks.ts';
import { dns1123Label, dns1123Subdomain } from '../names.ts';
import { checkAddress } from '../network-address.ts';
import type { Path } from '../path.ts';
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
  refine,
  required,
  type Schema,
  string,
  type TypeOf,
} from '../schema.ts';
import { validateAnnotations, validateLabels } from '../validate-metadata.ts';
import { affinity, toleration, topologySpreadConstraint } from './affinity.ts';
import { type Container, container, type EphemeralContainer, ephemeralContainer } from './container.ts';
import { localObjectReference, objectMeta } from './meta.ts';
import { resourceRequirements } from './resources.ts';
import { type PodSecurityContext, podSecurityContext } from './securityContext.ts';
import { type Volume, volume } from './volume.ts';

export const podDNSConfigOption = object(
  'io.k8s.api.core.v1.PodDNSConfigOption',
  {
    name: string(),
    value: string(),
  },
  {
    check({ name }, at, report) {
      if (!name) report.required(at, 'must not be empty');
    },
  },
);
export type PodDNSConfigOption = TypeOf<typeof podDNSConfigOption>;

const nameserversMax = 3;
const searchesMax = 32;
const searchesLengthMax = 2048;

export const podDNSConfig = object('io.k8s.api.core.v1.PodDNSConfig', {
  nameservers: list(string({ check: checkAddress }), {
    doc: 'DNS servers, at most 3.',
    check(servers, at, report) {
      const why = `must not have more than ${nameserversMax} nameservers`;
      if (servers.length > nameserversMax) report.invalid(at, servers, why);
    },
  }),
  options: list(podDNSConfigOption, { doc: 'Resolver options.' }),
  searches: list(
    string({
      check: (domain, at, report) => follows(dns1123Subdomain)(domain.replace(/\.$/, ''), at, report),
    }),
    { doc: 'Search domains, at most 32.', check: checkSearches },
  ),
});
export type PodDNSConfig = TypeOf<typeof podDNSConfig>;

export const hostAlias = object('io.k8s.api.core.v1.HostAlias', {
  hostnames: list(string(), { doc: 'Its names.' }),
  ip: required(string({ doc: 'The address.' })),
});
export type HostAlias = TypeOf<typeof hostAlias>;

export const podReadinessGate = object('io.k8s.api.core.v1.PodReadinessGate', {
  conditionType: required(string({ doc: 'The condition that must be True.' })),
});
export type PodReadinessGate = TypeOf<typeof podReadinessGate>;

export const podResourceClaim = object(
  'io.k8s.api.core.v1.PodResourceClaim',
  {
    name: required(string()),
    resourceClaimName: string(),
    resourceClaimTemplateName: string(),
  },
  { retainKeys: true },
);
export type PodResourceClaim = TypeOf<typeof podResourceClaim>;

export const podSchedulingGate = object('io.k8s.api.core.v1.PodSchedulingGate', {
  name: required(string()),
});
export type PodSchedulingGate = TypeOf<typeof podSchedulingGate>;

export const podOS = object('io.k8s.api.core.v1.PodOS', {
  name: required(oneOf(['linux', 'windows'], { doc: 'linux or windows.' })),
});
export type PodOS = TypeOf<typeof podOS>;

export const podSpec = object(
  'io.k8s.api.core.v1.PodSpec',
  {
    // In the order in which Kubernetes tells what is wrong.
    volumes: keyedList(['name'], volume, {
      doc: 'Folders that the containers can mount.',
      check: distinct<Volume>('name'),
    }),
    containers: required(
      keyedList(['name'], container, {
        doc: 'The containers; at least one.',
        check: distinct<Container>('name'),
      }),
    ),
    initContainers: keyedList(['name'], container, {
      doc: 'Containers that run one after the other before the others start.',
    }),
    ephemeralContainers: keyedList(['name'], ephemeralContainer, { doc: 'Added later, to debug the pod.' }),
    restartPolicy: oneOf(['Always', 'OnFailure', 'Never'], {
      doc: 'Which ended containers are started again.',
      default: 'Always',
      inOrder: true,
    }),
    terminationGracePeriodSeconds: integer({
      doc: 'Seconds between the request to stop and the kill.',
      default: 30,
    }),
    activeDeadlineSeconds: integer({
      doc: 'Seconds after which the pod is ended.',
      min: 1,
      max: 2147483647,
    }),
    dnsPolicy: oneOf(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'], {
      doc: 'How names are resolved.',
      default: 'ClusterFirst',
    }),
    dnsConfig: podDNSConfig,
    nodeSelector: map(string(), {
      doc: 'Labels that the node must have.',
      listType: 'atomic',
      check: validateLabels,
    }),
    nodeName: string({
      doc: 'The node that the pod is bound to; the scheduler sets it.',
      check: follows(dns1123Subdomain),
    }),
    serviceAccountName: string({
      doc: 'The ServiceAccount that it runs as.',
      check: follows(dns1123Subdomain),
    }),
    serviceAccount: string({ doc: 'The former name of serviceAccountName.' }),
    automountServiceAccountToken: boolean({ doc: "Whether it gets its account's token." }),
    imagePullSecrets: keyedList(['name'], localObjectReference, { doc: 'Secrets for the image registries.' }),
    affinity: refine(affinity, {
      doc: 'Rules that attract the pod to nodes or other pods, or keep it away.',
    }),
    tolerations: list(toleration, { doc: 'Taints of nodes that do not keep it away.' }),
    topologySpreadConstraints: keyedList(['topologyKey', 'whenUnsatisfiable'], topologySpreadConstraint, {
      doc: 'How to spread pods over zones or nodes.',
    }),
    schedulerName: string({ doc: 'Who binds the pod to a node.', default: 'default-scheduler' }),
    schedulingGates: keyedList(['name'], podSchedulingGate, {
      doc: 'It is not scheduled while there are any.',
    }),
    priorityClassName: string({ doc: 'Names its priority.' }),
    priority: integer({ doc: 'The higher, the more important.' }),
    preemptionPolicy: oneOf(['Never', 'PreemptLowerPriority']),
    runtimeClassName: string({
      doc: 'The kind of runtime: isolate or container.',
      check: follows(dns1123Subdomain),
    }),
    readinessGates: list(podReadinessGate, { doc: 'Conditions that must be True beside the probes.' }),
    hostname: string({ doc: "The pod's host name; its own name if absent.", check: follows(dns1123Label) }),
    subdomain: string({ doc: 'Part of its full host name.', check: follows(dns1123Label) }),
    hostAliases: keyedList(['ip'], hostAlias, { doc: 'Entries for /etc/hosts.' }),
    hostNetwork: boolean({ doc: "Whether it uses the node's network." }),
    hostPID: boolean({ doc: "Whether it sees the node's processes." }),
    hostIPC: boolean(),
    hostUsers: boolean(),
    shareProcessNamespace: boolean(),
    setHostnameAsFQDN: boolean(),
    enableServiceLinks: boolean({ doc: 'Whether services appear as environment variables.' }),
    securityContext: refine(podSecurityContext, { default: {}, doc: 'Security settings of all containers.' }),
    os: podOS,
    overhead: map(quantity()),
    resources: resourceRequirements,
    resourceClaims: keyedList(['name'], podResourceClaim),
  },
  { doc: 'What a pod consists of.', complete: completeServiceAccount, check: checkPodSpec },
);
export type PodSpec = TypeOf<typeof podSpec>;

const podTemplateWith = (spec: Schema<PodSpec, false>) =>
  object(
    'io.k8s.api.core.v1.PodTemplateSpec',
    { metadata: objectMeta, spec: refine(spec, { default: {} }) },
    {
      doc: 'What new pods look like.',
      check({ metadata, spec: podSpec }, at, report) {
        // Kubernetes leaves out that they are in the metadata.
        validateLabels(metadata?.labels, at.child('labels'), report);
        validateAnnotations(metadata?.annotations, at.child('annotations'), report);
        if (podSpec === undefined) report.required(at.child('spec').child('containers'));
      },
    },
  );

export const podTemplateSpec = podTemplateWith(podSpec);
/** That of a StatefulSet: what is wrong with its pods shows only when one is made. */
export const uncheckedPodTemplate = podTemplateWith(
  refine(podSpec, { insideUnchecked: true, check: () => undefined }),
);
export type PodTemplateSpec = TypeOf<typeof podTemplateSpec>;

// The two names mean the same; both are kept in step.
function completeServiceAccount(spec: { serviceAccountName?: string; serviceAccount?: string }): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (!name) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function checkSearches(domains: string[], at: Path, report: Report): void {
  if (domains.length > searchesMax) {
    report.invalid(at, domains, `must not have more than ${searchesMax} search paths`);
  }
  if (domains.join(' ').length > searchesLengthMax) {
    const why = `must not have more than ${searchesLengthMax} characters (including spaces) in the search list`;
    report.invalid(at, domains, why);
  }
}

const containerFields = ['containers', 'initContainers', 'ephemeralContainers'] as const;

interface Checked {
  containers?: Container[];
  initContainers?: Container[];
  ephemeralContainers?: EphemeralContainer[];
  volumes?: Volume[];
  dnsPolicy?: string;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  shareProcessNamespace?: boolean;
  securityContext?: PodSecurityContext;
  dnsConfig?: PodDNSConfig;
}

function checkPodSpec(spec: Checked, at: Path, report: Report): void {
  checkMounts(spec, at, report);
  checkContainers(spec, at, report);
  checkHost(spec, at, report);
  if (spec.dnsPolicy === 'None' && !spec.dnsConfig?.nameservers?.length) {
    report.required(
      at.child('dnsConfig').child('nameservers'),
      'must provide at least one DNS nameserver when `dnsPolicy` is None',
    );
  }
}

function checkMounts(spec: Checked, at: Path, report: Report): void {
  const volumes = new Set((spec.volumes ?? []).map((each) => each.name));
  for (const field of containerFields) {
    for (const [index, { volumeMounts = [] }] of (spec[field] ?? []).entries()) {
      const mountsAt = at.child(field).index(index).child('volumeMounts');
      for (const [mountIndex, { name }] of volumeMounts.entries()) {
        if (name && !volumes.has(name)) report.notFound(mountsAt.index(mountIndex).child('name'), name);
      }
    }
  }
}

function checkContainers(spec: Checked, at: Path, report: Report): void {
  const names = new Set((spec.containers ?? []).map((each) => each.name));
  for (const field of ['initContainers', 'ephemeralContainers'] as const) {
    for (const [index, { name }] of (spec[field] ?? []).entries()) {
      if (names.has(name)) report.duplicate(at.child(field).index(index).child('name'), name);
      names.add(name);
    }
  }
  for (const [index, container] of (spec.initContainers ?? []).entries())
    checkInitContainer(container, at.child('initContainers').index(index), report);
  for (const [index, { restartPolicy }] of (spec.containers ?? []).entries()) {
    if (restartPolicy === undefined) continue;
    const why = 'may not be set for non-init containers';
    report.forbidden(at.child('containers').index(index).child('restartPolicy'), why);
  }
}

/** What a pod cannot have as long as it shares it with the node. */
function checkHost(spec: Checked, at: Path, report: Report): void {
  const securityAt = at.child('securityContext');
  if (spec.hostNetwork) checkHostPorts(spec, at, report);
  if (spec.hostPID && spec.shareProcessNamespace) {
    const why = 'ShareProcessNamespace and HostPID cannot both be enabled';
    report.invalid(securityAt.child('shareProcessNamespace'), true, why);
  }
  for (const [index, { name }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const shared = sharedBySysctl(name.replaceAll('/', '.'));
    if (!shared || !spec[shared]) continue;
    const why = `may not be specified when '${shared}' is true`;
    report.invalid(securityAt.child('sysctls').index(index).child('name'), name, why);
  }
}

const ofIpc = /^(kernel\.(sem|shm|shm(all|max|mni|_rmid_forced)|msg(max|mnb|mni))$|fs\.mqueue\.)/;

function sharedBySysctl(name: string): 'hostNetwork' | 'hostIPC' | undefined {
  if (name.startsWith('net.')) return 'hostNetwork';
  return ofIpc.test(name) ? 'hostIPC' : undefined;
}

/** What waits for a container or watches over it is for those that go on beside the others. */
function checkInitContainer(container: Container, at: Path, report: Report): void {
  if (container.restartPolicy === 'Always') return;
  for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const why = 'may not be set for init containers without restartPolicy=Always';
    if (container[field]) report.forbidden(at.child(field), why);
  }
}

/** On the node's own network a port is the same inside and outside. */
function checkHostPorts(spec: Checked, at: Path, report: Report): void {
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [index, { ports = [] }] of (spec[field] ?? []).entries()) {
      const portsAt = at.child(field).index(index).child('ports');
      for (const [portIndex, { hostPort, containerPort }] of ports.entries()) {
        if (hostPort === undefined || hostPort === containerPort) continue;
        const why = 'must match `containerPort` when `hostNetwork` is true';
        report.invalid(portsAt.index(portIndex).child('hostPort'), hostPort, why);
      }
    }
  }
}
