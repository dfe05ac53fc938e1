import { type Example, meta } from './example.ts';

export const storageExamples: Example[] = [
  {
    kind: 'CSIDriver',
    apiVersion: 'storage.k8s.io/v1',
    object: {
      ...meta('csi.example.com'),
      spec: {
        attachRequired: false,
        podInfoOnMount: true,
        fsGroupPolicy: 'File',
        requiresRepublish: true,
        seLinuxMount: true,
        storageCapacity: true,
        tokenRequests: [{ audience: 'vault', expirationSeconds: 3600 }],
        volumeLifecycleModes: ['Persistent', 'Ephemeral'],
      },
    },
    change: { spec: { storageCapacity: false } },
    invalid: [
      [
        { spec: { volumeLifecycleModes: ['Fleeting'] } },
        [
          'spec.volumeLifecycleModes: Unsupported value: "Fleeting": supported values: "Persistent", "Ephemeral"',
        ],
      ],
      [
        { spec: { tokenRequests: [{ audience: 'a', expirationSeconds: 5 }, { audience: 'a' }] } },
        [
          'spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes',
          'spec.tokenRequests[1].audience: Duplicate value: "a"',
        ],
      ],
    ],
  },
  {
    kind: 'CSINode',
    apiVersion: 'storage.k8s.io/v1',
    object: {
      ...meta('n1'),
      spec: {
        drivers: [
          {
            name: 'csi.example.com',
            nodeID: 'node-1',
            allocatable: { count: 8 },
            topologyKeys: ['example.com/zone'],
          },
        ],
      },
    },
    change: { metadata: { labels: { a: 'b' } } },
    invalid: [
      [
        { spec: { drivers: [{ name: 'Not a driver', nodeID: '' }] } },
        [
          'spec.drivers[0].name: Invalid value: "Not a driver": a lowercase RFC 1123 subdomain must',
          'spec.drivers[0].nodeID: Required value',
        ],
      ],
      [
        { spec: { drivers: [{ name: 'a', nodeID: '1', allocatable: { count: -1 } }] } },
        ['spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0'],
      ],
    ],
  },
  {
    kind: 'CSIStorageCapacity',
    apiVersion: 'storage.k8s.io/v1',
    object: {
      ...meta('fast-z1'),
      storageClassName: 'fast',
      capacity: '10Gi',
      maximumVolumeSize: '1Gi',
      nodeTopology: { matchLabels: { 'topology.kubernetes.io/zone': 'z1' } },
    },
    change: { capacity: '9Gi' },
    invalid: [
      [
        { storageClassName: '' },
        ['storageClassName: Invalid value: "": a lowercase RFC 1123 subdomain must'],
      ],
      [{ capacity: '-1Gi' }, ['capacity: Invalid value: "-1Gi": must be greater than or equal to 0']],
    ],
  },
  {
    kind: 'VolumeAttachment',
    apiVersion: 'storage.k8s.io/v1',
    object: {
      ...meta('attach-1'),
      spec: { attacher: 'csi.example.com', nodeName: 'n1', source: { persistentVolumeName: 'pv-1' } },
    },
    change: { metadata: { labels: { a: 'b' } } },
    invalid: [
      [
        { spec: { source: { persistentVolumeName: null } } },
        [
          'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
        ],
      ],
      [{ spec: { attacher: '' } }, ['spec.attacher: Required value']],
      [
        { spec: { nodeName: 'N 1' } },
        ['spec.nodeName: Invalid value: "N 1": a lowercase RFC 1123 subdomain must'],
      ],
    ],
  },
  {
    kind: 'RuntimeClass',
    apiVersion: 'node.k8s.io/v1',
    object: {
      ...meta('isolate'),
      handler: 'isolate',
      overhead: { podFixed: { cpu: '10m', memory: '16Mi' } },
      scheduling: { nodeSelector: { runtime: 'isolate' }, tolerations: [{ key: 'a', operator: 'Exists' }] },
    },
    change: { scheduling: { nodeSelector: { runtime: 'other' } } },
    invalid: [
      [{ handler: '' }, ['handler: Invalid value: "": a lowercase RFC 1123 label must']],
      [{ handler: 'No_Label' }, ['handler: Invalid value: "No_Label": a lowercase RFC 1123 label must']],
      [
        { scheduling: { tolerations: [{ key: 'a', operator: 'Maybe' }] } },
        [
          'scheduling.tolerations[0].operator: Unsupported value: "Maybe": supported values: "Equal", "Exists"',
        ],
      ],
    ],
  },
];
