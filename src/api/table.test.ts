import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KindDefinition } from './kind.ts';
import { certificateSigningRequest } from './kinds/certificateSigningRequest.ts';
import { configMap } from './kinds/configMap.ts';
import { deployment } from './kinds/deployment.ts';
import { endpointSlice } from './kinds/endpointSlice.ts';
import { event } from './kinds/event.ts';
import { kinds } from './kinds/index.ts';
import { inferenceService } from './kinds/inferenceService.ts';
import { lease } from './kinds/lease.ts';
import { namespace } from './kinds/namespace.ts';
import { node } from './kinds/node.ts';
import { replicaSet } from './kinds/replicaSet.ts';
import { secret } from './kinds/secret.ts';
import { service } from './kinds/service.ts';
import { serviceAccount } from './kinds/serviceAccount.ts';
import { trainingJob } from './kinds/trainingJob.ts';
import type { KubeObject } from './object.ts';
import { toTable } from './table.ts';

const nowMs = Date.parse('2026-01-01T00:10:00Z');
const metadata = { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' };
const template = {
  spec: {
    containers: [
      { name: 'a', image: 'i:1' },
      { name: 'b', image: 'j:2' },
    ],
  },
};
const selector = { matchLabels: { app: 'x' } };

// biome-ignore lint/suspicious/noExplicitAny: a row of the table is about one kind each.
const table: [KindDefinition<any>, KubeObject & Record<string, unknown>, string, (string | number)[]][] = [
  [
    deployment,
    {
      metadata,
      spec: { replicas: 3, selector, template },
      status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
    },
    'Name Ready Up-to-date Available Age Containers Images Selector',
    ['x', '1/3', 2, 1, '10m', 'a,b', 'i:1,j:2', 'app=x'],
  ],
  [
    replicaSet,
    { metadata, spec: { replicas: 3, selector, template }, status: { replicas: 2, readyReplicas: 1 } },
    'Name Desired Current Ready Age Containers Images Selector',
    ['x', 3, 2, 1, '10m', 'a,b', 'i:1,j:2', 'app=x'],
  ],
  [
    service,
    {
      metadata,
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.43.0.7',
        ports: [
          { port: 80, nodePort: 30080, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
        selector: { app: 'x' },
      },
      status: { loadBalancer: { ingress: [{ ip: '127.42.0.1' }] } },
    },
    'Name Type Cluster-IP External-IP Port(s) Age Selector',
    ['x', 'LoadBalancer', '10.43.0.7', '127.42.0.1', '80:30080/TCP,53/UDP', '10m', 'app=x'],
  ],
  [
    service,
    { metadata, spec: { type: 'LoadBalancer' } },
    '',
    ['x', 'LoadBalancer', '<none>', '<pending>', '<none>', '10m', '<none>'],
  ],
  [
    service,
    { metadata, spec: { type: 'ExternalName', externalName: 'e.com' } },
    '',
    ['x', 'ExternalName', '<none>', 'e.com', '<none>', '10m', '<none>'],
  ],
  [
    node,
    {
      metadata: {
        ...metadata,
        labels: { 'node-role.kubernetes.io/edge': '', 'node-role.kubernetes.io/control-plane': '' },
      },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        nodeInfo: {
          kubeletVersion: 'v1.33.0',
          osImage: 'Debian',
          kernelVersion: '6.1',
          containerRuntimeVersion: 'selvage://0.1',
        },
      },
    },
    'Name Status Roles Age Version Internal-IP External-IP OS-Image Kernel-Version Container-Runtime',
    [
      'x',
      'Ready,SchedulingDisabled',
      'control-plane,edge',
      '10m',
      'v1.33.0',
      '10.0.0.1',
      '<none>',
      'Debian',
      '6.1',
      'selvage://0.1',
    ],
  ],
  [
    node,
    { metadata },
    '',
    ['x', 'Unknown', '<none>', '10m', '', '<none>', '<none>', '<unknown>', '<unknown>', '<unknown>'],
  ],
  [namespace, { metadata, status: { phase: 'Active' } }, 'Name Status Age', ['x', 'Active', '10m']],
  [configMap, { metadata, data: { a: '' }, binaryData: { b: '' } }, 'Name Data Age', ['x', 2, '10m']],
  [secret, { metadata, type: 'Opaque', data: { a: '' } }, 'Name Type Data Age', ['x', 'Opaque', 1, '10m']],
  [serviceAccount, { metadata }, 'Name Secrets Age', ['x', 0, '10m']],
  [lease, { metadata, spec: { holderIdentity: 'n1' } }, 'Name Holder Age', ['x', 'n1', '10m']],
  [
    endpointSlice,
    {
      metadata,
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: [1, 2, 3, 4, 5].map((each) => ({ addresses: [`10.42.0.${each}`] })),
    },
    'Name AddressType Ports Endpoints Age',
    ['x', 'IPv4', '80', '10.42.0.1,10.42.0.2,10.42.0.3 + 2 more...', '10m'],
  ],
  [
    endpointSlice,
    { metadata, addressType: 'IPv4', endpoints: [] },
    '',
    ['x', 'IPv4', '<unset>', '<unset>', '10m'],
  ],
  [
    certificateSigningRequest,
    {
      metadata,
      spec: { signerName: 's.io/s', username: 'me', expirationSeconds: 86400 },
      status: { conditions: [{ type: 'Approved', status: 'True' }], certificate: 'eA==' },
    },
    'Name Age SignerName Requestor RequestedDuration Condition',
    ['x', '10m', 's.io/s', 'me', '24h', 'Approved,Issued'],
  ],
  [
    certificateSigningRequest,
    { metadata, spec: { signerName: 's.io/s' } },
    '',
    ['x', '10m', 's.io/s', '', '<none>', 'Pending'],
  ],
  [
    event,
    {
      metadata,
      type: 'Normal',
      reason: 'Started',
      message: ' it runs\n',
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec' },
      source: { component: 'kubelet', host: 'n1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:09:30Z',
      count: 4,
    },
    'Last Seen|Type|Reason|Object|Subobject|Source|Message|First Seen|Count|Name',
    ['30s', 'Normal', 'Started', 'pod/p', 'spec', 'kubelet, n1', 'it runs', '10m', 4, 'x'],
  ],
  [
    inferenceService,
    {
      metadata,
      spec: { predictor: {} },
      status: {
        url: 'http://m',
        conditions: [{ type: 'Ready', status: 'True' }],
        components: {
          predictor: {
            traffic: [
              { latestRevision: true, revisionName: 'm-2', percent: 10 },
              { latestRevision: false, revisionName: 'm-1', percent: 90, tag: 'prev' },
            ],
          },
        },
      },
    },
    'Name URL Ready Prev Latest PrevRolledoutRevision LatestReadyRevision Age',
    ['x', 'http://m', 'True', 90, 10, 'm-1', 'm-2', '10m'],
  ],
  [
    trainingJob,
    {
      metadata,
      status: {
        progress: {
          epoch: 2,
          epochs: 5,
          loss: 1.5,
          accuracy: 0.25,
          etaSeconds: 90,
          examplesPerSecond: 812.4,
        },
      },
    },
    'Name Status Epoch Loss Accuracy Left Age Speed Promoted Model',
    ['x', 'Running', '2/5', '1.5000', '0.2500', '90s', '10m', '812', '', ''],
  ],
  [
    trainingJob,
    {
      metadata,
      status: {
        conditions: [
          { type: 'Promoted', status: 'False' },
          { type: 'Complete', status: 'True' },
        ],
        progress: { epoch: 5, epochs: 5, loss: 1.5, etaSeconds: 0 },
        result: { image: 'models/mine@sha256:1', metrics: { loss: 0.5, accuracy: 0.75 } },
      },
    },
    '',
    ['x', 'Complete', '5/5', '0.5000', '0.7500', '', '10m', '', 'False', 'models/mine@sha256:1'],
  ],
];

test('every kind has the columns that kubectl users know', () => {
  for (const [kind, object, names, cells] of table) {
    const shown = toTable(kind, [object], { nowMs });
    const found = shown.columnDefinitions.map(({ name }) => name);
    if (names !== '') assert.equal(found.join(names.includes('|') ? '|' : ' '), names, kind.kind);
    assert.deepEqual(shown.rows[0]?.cells, cells, kind.kind);
  }
});

test('rows carry the metadata, the whole object or nothing, as asked', () => {
  const object = { metadata, spec: { holderIdentity: 'n1' } };
  const row = (includeObject?: 'Object' | 'None') =>
    toTable(lease, [object], { nowMs, includeObject }).rows[0];
  assert.deepEqual(row()?.object, { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata });
  assert.deepEqual(row('Object')?.object, { ...object, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' });
  assert.equal(row('None')?.object, null);
});

test('an object with only a name is shown without a crash, whatever its kind', () => {
  const bare = { metadata: { name: 'x' }, spec: {}, involvedObject: {}, endpoints: [] };
  for (const kind of kinds) {
    const { rows, columnDefinitions } = toTable(kind, [bare as KubeObject], { nowMs });
    assert.equal(rows[0]?.cells.length, columnDefinitions.length, kind.kind);
  }
});
