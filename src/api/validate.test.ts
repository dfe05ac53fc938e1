import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from './defaults.ts';
import { invalid } from './invalid.ts';
import type { KindDefinition } from './kind.ts';
import { configMap } from './kinds/configMap.ts';
import { deployment } from './kinds/deployment.ts';
import { kinds } from './kinds/index.ts';
import { namespace } from './kinds/namespace.ts';
import { pod } from './kinds/pod.ts';
import { secret } from './kinds/secret.ts';
import { service } from './kinds/service.ts';
import { statefulSet } from './kinds/statefulSet.ts';
import type { KubeObject } from './object.ts';
import { validate, validateUpdate } from './validate.ts';

// biome-ignore lint/suspicious/noExplicitAny: what is tested is input that the types would refuse.
type Anything = any;

const metadata = { name: 'web', namespace: 'default' };
const container = { name: 'web', image: 'nginx:1.27' };
const mount = { name: 'v', mountPath: '/v' };
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
const selector = { matchLabels: { app: 'web' } };

const podWith = (spec: object) => ({ metadata, spec: { containers: [container], ...spec } });
const containerWith = (fields: object) => podWith({ containers: [{ ...container, ...fields }] });
const deploymentWith = (spec: object) => ({ metadata, spec: { selector, template, ...spec } });
const serviceWith = (spec: object) => ({ metadata, spec: { ports: [{ port: 80 }], ...spec } });

const annotatedWith = (ranges: string) => ({
  ...metadata,
  annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': ranges },
});

function messages<T extends KubeObject>(kind: KindDefinition<T>, object: Anything): string[] {
  return validate(kind, defaults(kind, object)).map(({ field, message }) => `${field}: ${message}`);
}

const label = /a lowercase RFC 1123 label must consist of .*/.source;

test('objects that Kubernetes accepts have nothing wrong', () => {
  const fine: [KindDefinition<Anything>, object][] = [
    [pod, podWith({})],
    [deployment, deploymentWith({})],
    [service, serviceWith({})],
    [service, serviceWith({ type: 'ExternalName', externalName: 'example.com', ports: [] })],
    [service, serviceWith({ clusterIP: 'None', ports: undefined })],
    [configMap, { metadata, data: { 'a.b_c-d': '' } }],
    [secret, { metadata, stringData: { password: 'x' } }],
    [namespace, { metadata: { name: 'team-a' } }],
  ];
  for (const [kind, object] of fine) assert.deepEqual(messages(kind, object), [], kind.kind);
});

test('what is wrong with a pod is said in the words that Kubernetes uses', () => {
  const table: [object, string | RegExp][] = [
    [{ metadata }, 'spec.containers: Required value'],
    [podWith({ containers: [] }), 'spec.containers: Required value'],
    [
      { metadata: { namespace: 'default' }, spec: podWith({}).spec },
      'metadata.name: Required value: name or generateName is required',
    ],
    [{ metadata: { name: 'web' }, spec: podWith({}).spec }, 'metadata.namespace: Required value'],
    [containerWith({ image: '' }), 'spec.containers[0].image: Required value'],
    [
      containerWith({ image: ' x' }),
      'spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace',
    ],
    [containerWith({ name: '' }), 'spec.containers[0].name: Required value'],
    [
      containerWith({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      /^spec\.containers\[0\]\.securityContext: .*: cannot set `allowPrivilegeEscalation` to false and `privileged` to true$/,
    ],
    [
      containerWith({
        securityContext: { capabilities: { add: ['CAP_SYS_ADMIN'] }, allowPrivilegeEscalation: false },
      }),
      /: cannot set `allowPrivilegeEscalation` to false and `capabilities\.Add` CAP_SYS_ADMIN$/,
    ],
    [
      containerWith({ securityContext: { seccompProfile: { type: 'Localhost' } } }),
      'spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
    ],
    [
      podWith({ securityContext: { seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'a' } } }),
      'spec.securityContext.seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is Localhost',
    ],
    [
      containerWith({ securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: '' } } }),
      'spec.containers[0].securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost',
    ],
    [
      containerWith({ securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: ' a' } } }),
      'spec.containers[0].securityContext.appArmorProfile.localhostProfile: Invalid value: " a": must not be padded with whitespace',
    ],
    [
      containerWith({ securityContext: { appArmorProfile: { type: 'Unconfined', localhostProfile: 'a' } } }),
      'spec.containers[0].securityContext.appArmorProfile.localhostProfile: Invalid value: "a": can only be set when AppArmor type is Localhost',
    ],
    [
      containerWith({ restartPolicy: 'Always' }),
      'spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers',
    ],
    [
      podWith({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ ...container, volumeMounts: [{ ...mount, mountPropagation: 'Bidirectional' }] }],
      }),
      'spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
    ],
    [
      podWith({ hostPID: true, shareProcessNamespace: true }),
      'spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
    ],
    [
      podWith({ hostNetwork: true, securityContext: { sysctls: [{ name: 'net/core.x', value: '' }] } }),
      `spec.securityContext.sysctls[0].name: Invalid value: "net/core.x": may not be specified when 'hostNetwork' is true`,
    ],
    [
      podWith({ hostIPC: true, securityContext: { sysctls: [{ name: 'kernel.shmall', value: '1' }] } }),
      `spec.securityContext.sysctls[0].name: Invalid value: "kernel.shmall": may not be specified when 'hostIPC' is true`,
    ],
    [
      podWith({ securityContext: { sysctls: [{ name: 'A b', value: '1' }] } }),
      'spec.securityContext.sysctls[0].name: Invalid value: "A b": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
    ],
    [
      podWith({
        securityContext: {
          sysctls: [
            { name: 'a.b', value: '1' },
            { name: 'a.b', value: '2' },
          ],
        },
      }),
      'spec.securityContext.sysctls[1].name: Duplicate value: "a.b"',
    ],
    [
      podWith({ securityContext: { supplementalGroups: [-1] } }),
      'spec.securityContext.supplementalGroups[0]: Invalid value: -1: must be between 0 and 2147483647, inclusive',
    ],
    [
      podWith({ dnsConfig: { nameservers: ['1.1.1.1', '1.1.1.2', '1.1.1.3', '::1'] } }),
      /^spec\.dnsConfig\.nameservers: .*: must not have more than 3 nameservers$/,
    ],
    [
      podWith({ dnsConfig: { nameservers: ['x'] } }),
      'spec.dnsConfig.nameservers[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      podWith({ dnsConfig: { searches: ['a.b.', '_a.b'] } }),
      /^spec\.dnsConfig\.searches\[1\]: .*"_a\.b": a low/,
    ],
    [
      podWith({ dnsConfig: { searches: Array.from({ length: 33 }, () => 'a') } }),
      /^spec\.dnsConfig\.searches: .*: must not have more than 32 search paths$/,
    ],
    [
      podWith({ dnsConfig: { searches: Array.from({ length: 16 }, () => 'a.'.repeat(70)) } }),
      /^spec\.dnsConfig\.searches: .*: must not have more than 2048 characters \(including spaces\) in the search list$/,
    ],
    [
      podWith({ dnsConfig: { options: [{ value: 'a' }] } }),
      'spec.dnsConfig.options[0]: Required value: must not be empty',
    ],
    [
      containerWith({ name: 'Web' }),
      new RegExp(`^spec.containers\\[0\\].name: Invalid value: "Web": ${label}`),
    ],
    [podWith({ containers: [container, container] }), 'spec.containers[1].name: Duplicate value: "web"'],
    [podWith({ initContainers: [container] }), 'spec.initContainers[0].name: Duplicate value: "web"'],
    [
      containerWith({ imagePullPolicy: 'Maybe' }),
      'spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
    ],
    [
      podWith({ restartPolicy: 'Sometimes' }),
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
    [
      containerWith({ ports: [{ containerPort: 70000 }] }),
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [containerWith({ ports: [{}] }), 'spec.containers[0].ports[0].containerPort: Required value'],
    [
      containerWith({
        ports: [
          { containerPort: 1, name: 'a' },
          { containerPort: 2, name: 'a' },
        ],
      }),
      'spec.containers[0].ports[1].name: Duplicate value: "a"',
    ],
    [
      containerWith({ ports: [{ containerPort: 1, name: 'a_b' }] }),
      'spec.containers[0].ports[0].name: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ],
    [
      containerWith({ env: [{ name: 'A=' }] }),
      /^spec.containers\[0\].env\[0\].name: Invalid value: "A=": a valid environment variable name must/,
    ],
    [
      containerWith({
        env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      }),
      'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ],
    [
      containerWith({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.phase' } } }] }),
      /^spec.containers\[0\].env\[0\].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name"/,
    ],
    [
      containerWith({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] }),
      'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x": error converting fieldPath: field label not supported: spec.x',
    ],
    [
      podWith({
        initContainers: [{ name: 'first', image: 'a', livenessProbe: { exec: { command: ['a'] } } }],
      }),
      'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
    [
      podWith({
        hostNetwork: true,
        containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 90 }] }],
      }),
      'spec.containers[0].ports[0].hostPort: Invalid value: 90: must match `containerPort` when `hostNetwork` is true',
    ],
    [
      podWith({ volumes: [{ name: 'up', hostPath: { path: '/a/../b' } }] }),
      'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
    ],
    [
      { ...podWith({}), metadata: { ...metadata, finalizers: ['wrong'] } },
      'metadata.finalizers[0]: Invalid value: "wrong": name is neither a standard finalizer name nor is it fully qualified',
    ],
    [
      containerWith({ volumeMounts: [{ name: 'data', mountPath: '/d' }] }),
      'spec.containers[0].volumeMounts[0].name: Not found: "data"',
    ],
    [
      podWith({ volumes: [{ name: 'a', secret: { secretName: 's', items: [{ key: 'k', path: '../k' }] } }] }),
      'spec.volumes[0].secret.items[0].path: Invalid value: "../k": must not contain \'..\'',
    ],
    [podWith({ volumes: [{ name: 'a', configMap: {} }] }), 'spec.volumes[0].configMap.name: Required value'],
    [podWith({ volumes: [{ name: 'a' }, { name: 'a' }] }), 'spec.volumes[1].name: Duplicate value: "a"'],
    [
      podWith({ volumes: [{ name: 'a', emptyDir: {}, secret: { secretName: 's' } }] }),
      'spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type',
    ],
    [
      containerWith({ livenessProbe: {} }),
      'spec.containers[0].livenessProbe: Required value: must specify a handler type',
    ],
    [
      containerWith({ livenessProbe: { exec: { command: ['a'] }, tcpSocket: { port: 1 } } }),
      'spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
    ],
    [
      containerWith({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
      'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
    ],
    [
      containerWith({ readinessProbe: { tcpSocket: { port: 0 } } }),
      'spec.containers[0].readinessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
    [
      containerWith({ readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: -1 } }),
      'spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      containerWith({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      containerWith({ resources: { requests: { gpu: '1' } } }),
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
    ],
    [
      podWith({ tolerations: [{ operator: 'Equal' }] }),
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
    [
      podWith({ nodeSelector: { 'a b': 'c' } }),
      /^spec.nodeSelector: Invalid value: "a b": name part must consist of/,
    ],
    [
      podWith({ activeDeadlineSeconds: 0 }),
      'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
    ],
    [
      podWith({
        topologySpreadConstraints: [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
      }),
      'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero',
    ],
    [
      podWith({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }],
            },
          },
        },
      }),
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ],
    [
      { metadata: { ...metadata, labels: { a: '-' } }, spec: podWith({}).spec },
      /^metadata.labels: Invalid value: "-": a valid label must be an empty string or/,
    ],
    [
      { metadata: { ...metadata, annotations: { 'a/b/c': '' } }, spec: podWith({}).spec },
      /^metadata.annotations: Invalid value: "a\/b\/c": a qualified name must consist of/,
    ],
  ];
  for (const [object, expected] of table) expectOne(pod, object, expected);
});

test('what is wrong with other kinds is said in the words that Kubernetes uses', () => {
  const table: [KindDefinition<Anything>, object, string | RegExp][] = [
    [namespace, { metadata: { name: 'a.b' } }, 'metadata.name: Invalid value: "a.b": must not contain dots'],
    [
      namespace,
      { metadata: { name: 'a', namespace: 'b' } },
      'metadata.namespace: Forbidden: not allowed on this type',
    ],
    [deployment, deploymentWith({ selector: undefined }), 'spec.selector: Required value'],
    [
      deployment,
      deploymentWith({ selector: {} }),
      'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
    ],
    [
      deployment,
      deploymentWith({ selector: { matchLabels: { app: 'x' } } }),
      'spec.template.metadata.labels: Invalid value: map[string]string{"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      deployment,
      deploymentWith({ replicas: -1 }),
      'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      deployment,
      deploymentWith({ strategy: { type: 'Recreate', rollingUpdate: {} } }),
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      deployment,
      deploymentWith({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
    ],
    [
      deployment,
      deploymentWith({ strategy: { rollingUpdate: { maxSurge: 'half' } } }),
      /^spec.strategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:"half"}: a valid percent string must be/,
    ],
    [
      deployment,
      deploymentWith({ template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }),
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      deployment,
      deploymentWith({ minReadySeconds: 600 }),
      'spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
    ],
    [
      service,
      { metadata: { ...metadata, name: '1a' }, spec: { ports: [{ port: 80 }] } },
      /^metadata.name: Invalid value: "1a": a DNS-1035 label must consist of/,
    ],
    [service, serviceWith({ ports: [] }), 'spec.ports: Required value'],
    [
      service,
      serviceWith({ ports: [{ port: 0, targetPort: 80 }] }),
      /^spec.ports\[0\].port: Invalid value: 0: must be between 1 and 65535, inclusive/,
    ],
    [
      service,
      serviceWith({ ports: [{ port: 1, name: 'a' }, { port: 2 }] }),
      'spec.ports[1].name: Required value',
    ],
    [
      service,
      serviceWith({
        ports: [
          { port: 1, name: 'a' },
          { port: 1, name: 'b' },
        ],
      }),
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":1}',
    ],
    [
      service,
      serviceWith({ type: 'Magic' }),
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      service,
      serviceWith({ clusterIP: '10.0.0' }),
      'spec.clusterIPs[0]: Invalid value: "10.0.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [service, serviceWith({ type: 'ExternalName' }), 'spec.externalName: Required value'],
    [
      service,
      serviceWith({ loadBalancerSourceRanges: ['10.0.0.0/8'] }),
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      service,
      serviceWith({ type: 'LoadBalancer', loadBalancerSourceRanges: [' 10.0.0.0/8 ', '10.0.0.0/33'] }),
      'spec.LoadBalancerSourceRanges[1]: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
    [
      service,
      { ...serviceWith({ type: 'LoadBalancer' }), metadata: annotatedWith('10.0.0.0/8, x') },
      'metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
    [
      service,
      serviceWith({ loadBalancerClass: 'a' }),
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      service,
      serviceWith({ ports: [{ port: 80, nodePort: 30080 }] }),
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [service, serviceWith({ ports: [{ port: 80, appProtocol: 'a b' }] }), /^spec\.ports\[0\]\.appProtocol: /],
    [
      service,
      serviceWith({ externalIPs: ['127.0.0.1'] }),
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [
      service,
      serviceWith({ ipFamilies: ['IPv4', 'IPv5'] }),
      'spec.ipFamilies[1]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
    ],
    [service, serviceWith({ ipFamilies: ['IPv4', 'IPv4'] }), 'spec.ipFamilies[1]: Duplicate value: "IPv4"'],
    [
      configMap,
      { metadata, data: { 'a b': '' } },
      /^data\[a b\]: Invalid value: "a b": a valid config key must consist of/,
    ],
    [
      secret,
      { metadata, type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x' } },
      'data[tls.key]: Required value',
    ],
  ];
  for (const [kind, object, expected] of table) expectOne(kind, object, expected);
});

test('fields that may not change are refused on an update', () => {
  const bound = podWith({ nodeName: 'n1' });
  const table: [KindDefinition<Anything>, object, object, string | RegExp][] = [
    [
      pod,
      bound,
      podWith({ nodeName: 'n2' }),
      /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/,
    ],
    [
      pod,
      bound,
      podWith({ nodeName: 'n1', containers: [container, { ...container, name: 'b' }] }),
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ],
    [
      deployment,
      deploymentWith({}),
      deploymentWith({ selector: { matchLabels: { app: 'x' } } }),
      'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"x"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable',
    ],
    [
      service,
      serviceWith({ clusterIP: '10.43.0.9', clusterIPs: ['10.43.0.9'] }),
      serviceWith({ clusterIP: '10.43.0.8', clusterIPs: ['10.43.0.8'] }),
      'spec.clusterIPs[0]: Invalid value: []string{"10.43.0.8"}: may not change once set',
    ],
    [secret, { metadata }, { metadata, type: 'x' }, 'type: Invalid value: "x": field is immutable'],
    [
      secret,
      { metadata, immutable: true },
      { metadata, immutable: true, stringData: { a: 'b' } },
      'data: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      configMap,
      { metadata, immutable: true },
      { metadata },
      'immutable: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      configMap,
      { metadata },
      { metadata: { ...metadata, name: 'other' } },
      'metadata.name: Invalid value: "other": field is immutable',
    ],
  ];
  for (const [kind, before, after, expected] of table) {
    const causes = validateUpdate(
      kind,
      defaults(kind, after as Anything),
      defaults(kind, before as Anything),
    );
    match(
      causes.map(({ field, message }) => `${field}: ${message}`),
      expected,
    );
  }
  const image = containerWith({ image: 'nginx:1.28' });
  assert.deepEqual(
    validateUpdate(pod, defaults(pod, image as Anything), defaults(pod, podWith({}) as Anything)),
    [],
  );
});

test('of the template of a StatefulSet only the metadata and the restart are checked, and of its claims nothing', () => {
  const setWith = (spec: object, labels: object = template.metadata.labels) => ({
    metadata,
    spec: { selector, serviceName: 'web', template: { metadata: { labels }, spec } },
  });
  for (const spec of [{ containers: [{ name: 'web' }] }, { containers: [{ name: 'A b', image: ' ' }] }, {}])
    assert.deepEqual(messages(statefulSet, setWith(spec)), []);
  const claims = { ...setWith({}), spec: { ...setWith({}).spec, volumeClaimTemplates: [{ spec: {} }] } };
  assert.deepEqual(messages(statefulSet, claims), []);
  expectOne(
    statefulSet,
    setWith({}, { app: 'web', 'a b': 'c' }),
    /^spec\.template\.labels: Invalid value: "a b"/,
  );
  expectOne(
    statefulSet,
    setWith({ restartPolicy: 'Never' }),
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  );
  expectOne(
    statefulSet,
    setWith({ activeDeadlineSeconds: 1 }),
    'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported',
  );
});

test('space around an image is refused in a pod, and let through in a template', () => {
  const padded = { ...template, spec: { containers: [{ ...container, image: ' nginx' }] } };
  assert.deepEqual(messages(deployment, deploymentWith({ template: padded })), []);
  expectOne(
    pod,
    podWith({ initContainers: [{ name: 'a', image: 'a ' }] }),
    'spec.initContainers[0].image: Invalid value: "a ": must not have leading or trailing whitespace',
  );
});

test('a Secret with a login has what is needed for it', () => {
  const wrong = (type: string, data: object) =>
    messages(secret, { metadata, type: `kubernetes.io/${type}`, data });
  assert.deepEqual(wrong('basic-auth', {}), [
    'data[username]: Required value',
    'data[password]: Required value',
  ]);
  assert.deepEqual(wrong('basic-auth', { password: 'YQ==' }), []);
  assert.deepEqual(wrong('ssh-auth', { 'ssh-privatekey': '' }), ['data[ssh-privatekey]: Required value']);
  assert.deepEqual(wrong('ssh-auth', { 'ssh-privatekey': 'YQ==' }), []);
});

test('one cause stands alone in the message, several in brackets, and details carry all', () => {
  const one = { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.selector' };
  const two = { reason: 'FieldValueInvalid', message: 'Invalid value: -1: no', field: 'spec.replicas' };
  const error = invalid(deployment, 'web', [one]);
  assert.equal(error.code, 422);
  assert.equal(error.message, 'Deployment.apps "web" is invalid: spec.selector: Required value');
  assert.equal(invalid(pod, 'a', [one]).message, 'Pod "a" is invalid: spec.selector: Required value');
  const both = invalid(deployment, 'web', [one, two]);
  assert.equal(
    both.message,
    'Deployment.apps "web" is invalid: [spec.selector: Required value, spec.replicas: Invalid value: -1: no]',
  );
  assert.deepEqual(both.details, { name: 'web', group: 'apps', kind: 'Deployment', causes: [one, two] });
});

test('an object that has nothing but a name is validated without a crash, whatever its kind', () => {
  for (const kind of kinds) assert.ok(Array.isArray(validate(kind, { metadata })), kind.kind);
});

function expectOne(kind: KindDefinition<Anything>, object: object, expected: string | RegExp): void {
  match(messages(kind, object), expected);
}

function match(found: string[], expected: string | RegExp): void {
  assert.equal(found.length, 1, `expected only ${expected}, found ${JSON.stringify(found, null, 1)}`);
  if (typeof expected === 'string') assert.equal(found[0], expected);
  else assert.match(found[0]!, expected);
}
