import { type Example, labels, meta, template } from './example.ts';

const regarding = { kind: 'Pod', namespace: 'default', name: 'web' };

export const coreExamples: Example[] = [
  {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    object: { ...meta('settings'), data: { a: 'b' }, binaryData: { c: 'AAE=' }, immutable: false },
    change: { data: { a: 'c' } },
    invalid: [
      [
        { data: { 'not/a/key': 'x' } },
        ['data[not/a/key]: Invalid value: "not/a/key": a valid config key must'],
      ],
      [
        { metadata: { name: 'Not A Name' } },
        ['metadata.name: Invalid value: "Not A Name": a lowercase RFC 1123'],
      ],
    ],
  },
  {
    kind: 'Secret',
    apiVersion: 'v1',
    object: { ...meta('hidden'), type: 'Opaque', data: { a: 'Yg==' } },
    change: { data: { a: 'Yw==' } },
    invalid: [
      [
        { data: { 'not/a/key': 'eA==' } },
        ['data[not/a/key]: Invalid value: "not/a/key": a valid config key must'],
      ],
      [{ type: 'kubernetes.io/tls' }, ['data[tls.crt]: Required value']],
    ],
  },
  {
    kind: 'ServiceAccount',
    apiVersion: 'v1',
    object: { ...meta('robot'), automountServiceAccountToken: false, imagePullSecrets: [{ name: 'pull' }] },
    change: { automountServiceAccountToken: true },
    invalid: [
      [{ metadata: { name: 'A_b' } }, ['metadata.name: Invalid value: "A_b"']],
      [{ metadata: { labels: { a: '-' } } }, ['metadata.labels: Invalid value: "-": a valid label must']],
    ],
  },
  {
    kind: 'Namespace',
    apiVersion: 'v1',
    object: meta('team-x', { labels: { team: 'x' } }),
    change: { metadata: { labels: { team: 'y' } } },
    invalid: [
      [{ metadata: { name: 'a.b' } }, ['metadata.name: Invalid value: "a.b": must not contain dots']],
      [
        { metadata: { annotations: { 'a b': 'x' } } },
        ['metadata.annotations: Invalid value: "a b": name part must'],
      ],
    ],
  },
  {
    kind: 'Pod',
    apiVersion: 'v1',
    object: { ...meta('one', { labels }), spec: template.spec },
    change: { metadata: { labels: { app: 'y' } } },
    invalid: [
      [{ spec: { containers: [] } }, ['spec.containers: Required value']],
      [{ spec: { restartPolicy: 'Perhaps' } }, ['spec.restartPolicy: Unsupported value: "Perhaps"']],
    ],
  },
  {
    kind: 'PodTemplate',
    apiVersion: 'v1',
    object: { ...meta('shape'), template },
    change: { template: { metadata: { labels: { app: 'y' } } } },
    invalid: [
      [{ template: { spec: { containers: [] } } }, ['template.spec.containers: Required value']],
      [{ template: { metadata: { labels: { a: '-' } } } }, ['template.labels: Invalid value: "-"']],
    ],
  },
  {
    kind: 'Service',
    apiVersion: 'v1',
    object: {
      ...meta('web'),
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'web' }] },
    },
    change: { spec: { selector: { app: 'y' } } },
    invalid: [
      [{ spec: { ports: [] } }, ['spec.ports: Required value']],
      [{ spec: { type: 'Odd' } }, ['spec.type: Unsupported value: "Odd"']],
    ],
  },
  {
    kind: 'Endpoints',
    apiVersion: 'v1',
    object: {
      ...meta('legacy'),
      subsets: [
        {
          addresses: [{ ip: '10.1.0.1', hostname: 'a', nodeName: 'n1', targetRef: regarding }],
          notReadyAddresses: [{ ip: 'fd00::2' }],
          ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }],
        },
      ],
    },
    change: { subsets: [{ addresses: [{ ip: '10.1.0.9' }] }] },
    invalid: [
      [
        { subsets: [{ ports: [{ port: 80 }, { port: 0 }] }] },
        [
          'subsets[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive',
          'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
          'subsets[0].ports[0].name: Required value',
          'subsets[0].ports[1].name: Required value',
        ],
      ],
      [
        { subsets: [{ addresses: [{ ip: '127.0.0.1' }, { ip: 'no' }] }] },
        [
          'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
          'subsets[0].addresses[1].ip: Invalid value: "no": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
          'subsets[0].addresses[1].ip: Invalid value: "no": must be a valid IP address',
        ],
      ],
    ],
  },
  {
    kind: 'Event',
    apiVersion: 'v1',
    object: {
      ...meta('seen'),
      involvedObject: regarding,
      reason: 'Seen',
      message: 'it was seen',
      source: { component: 'test', host: 'n1' },
      firstTimestamp: '2026-01-02T03:04:05Z',
      lastTimestamp: '2026-01-02T03:04:05Z',
      count: 2,
      type: 'Normal',
    },
    change: { count: 3 },
    invalid: [
      [
        { involvedObject: { namespace: 'other' } },
        ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
      ],
      [
        { eventTime: '2026-01-02T03:04:05.000000Z' },
        ['reportingComponent: Required value', 'reportingInstance: Required value', 'action: Required value'],
      ],
    ],
  },
  {
    kind: 'Event.events.k8s.io',
    apiVersion: 'events.k8s.io/v1',
    object: {
      ...meta('noted'),
      eventTime: '2026-01-02T03:04:05.000006Z',
      reportingController: 'example.com/controller',
      reportingInstance: 'controller-1',
      action: 'Binding',
      reason: 'Scheduled',
      type: 'Normal',
      note: 'assigned',
      regarding,
    },
    change: { series: { count: 2, lastObservedTime: '2026-01-02T03:05:05.000006Z' } },
    invalid: [
      [{ eventTime: null }, ['eventTime: Required value']],
      [{ type: 'Odd' }, ['type: Invalid value: "": has invalid value: Odd']],
    ],
  },
  {
    kind: 'APIService',
    apiVersion: 'apiregistration.k8s.io/v1',
    object: {
      ...meta('v1.example.com'),
      spec: { group: 'example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 10 },
    },
    change: { spec: { versionPriority: 11 } },
    invalid: [
      [
        { metadata: { name: 'other' } },
        ['metadata.name: Invalid value: "other": must be `spec.version+"."+spec.group`: "v1.example.com"'],
      ],
      [
        { spec: { groupPriorityMinimum: 0, caBundle: 'eA==' } },
        [
          'spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000',
          'spec.caBundle: Invalid value: "1 bytes": local APIServices may not have a caBundle',
        ],
      ],
      [
        {
          spec: {
            service: { namespace: 'default', name: '', port: 70000 },
            caBundle: 'QQ==',
            insecureSkipTLSVerify: true,
          },
        },
        [
          'spec.service.name: Required value',
          'spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive',
          'spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present',
        ],
      ],
    ],
  },
];
