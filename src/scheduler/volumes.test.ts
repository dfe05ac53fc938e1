import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolume } from '../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../api/kinds/persistentVolumeClaim.ts';
import type { StorageClass } from '../api/kinds/storageClass.ts';
import { schedule } from './schedule.ts';
import { cluster, hostname, node, pod } from './testing.ts';
import { prepareVolumes, type Storage } from './volumes.ts';

const nodes = [node('n1'), node('n2')];
const user = pod('a', {
  spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
});
const onNode = (name: string) => ({
  required: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: hostname, operator: 'In' as const, values: [name] }] }],
  },
});

function claim(
  spec: object,
  options: { phase?: 'Bound' | 'Lost'; annotations?: Record<string, string> } = {},
) {
  const { phase = 'Pending', annotations = {} } = options;
  return {
    metadata: { name: 'data', namespace: 'default', uid: 'data', annotations },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    status: { phase },
  } as PersistentVolumeClaim;
}

function volume(name: string, spec: object, phase = 'Available'): PersistentVolume {
  return {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '2Gi' },
      storageClassName: 'local',
      ...spec,
    },
    status: { phase },
  } as PersistentVolume;
}

const late: StorageClass = {
  metadata: { name: 'local' },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const made: StorageClass = {
  metadata: { name: 'made' },
  provisioner: 'example.com/maker',
  volumeBindingMode: 'WaitForFirstConsumer',
  allowedTopologies: [{ matchLabelExpressions: [{ key: hostname, values: ['n2'] }] }],
};

function storage(claims: PersistentVolumeClaim[], volumes: PersistentVolume[] = []): Storage {
  return {
    claim: (key) => claims.find(({ metadata }) => `${metadata?.namespace}/${metadata?.name}` === key),
    volume: (name) => volumes.find(({ metadata }) => metadata?.name === name),
    volumes: () => volumes,
    storageClass: (name) => [late, made].find(({ metadata }) => metadata?.name === name),
    assumedClaim: (name) => (name === 'assumed' ? 'default/another' : undefined),
  };
}

test('a pod goes where its volumes are or can be made, and else says what is wrong with them', () => {
  const conflict = 'node(s) had volume node affinity conflict';
  const nothing = "node(s) didn't find available persistent volumes to bind";
  const cases: [string, PersistentVolumeClaim[], PersistentVolume[], string][] = [
    ['no claim', [], [], 'persistentvolumeclaim "data" not found'],
    ['unbound', [claim({})], [], 'pod has unbound immediate PersistentVolumeClaims'],
    [
      'lost',
      [claim({ volumeName: 'v' }, { phase: 'Lost' })],
      [],
      'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"',
    ],
    ['bound, anywhere', [claim({ volumeName: 'v' }, { phase: 'Bound' })], [volume('v', {}, 'Bound')], 'n1'],
    [
      'bound to a volume of n2',
      [claim({ volumeName: 'v' }, { phase: 'Bound' })],
      [volume('v', { nodeAffinity: onNode('n2') }, 'Bound')],
      'n2',
    ],
    [
      'bound to a volume of a node that is none',
      [claim({ volumeName: 'v' }, { phase: 'Bound' })],
      [volume('v', { nodeAffinity: onNode('n3') }, 'Bound')],
      `2 ${conflict}`,
    ],
    [
      'bound to a volume that is gone',
      [claim({ volumeName: 'v' }, { phase: 'Bound' })],
      [],
      '2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
    ],
    [
      'waits: a free volume on n2',
      [claim({ storageClassName: 'local' })],
      [volume('v', { nodeAffinity: onNode('n2') })],
      'n2',
    ],
    ['waits: none', [claim({ storageClassName: 'local' })], [], `2 ${nothing}`],
    [
      'waits: too small',
      [claim({ storageClassName: 'local' })],
      [volume('v', { capacity: { storage: '1Mi' } })],
      `2 ${nothing}`,
    ],
    [
      'waits: of another mode',
      [claim({ storageClassName: 'local', accessModes: ['ReadWriteMany'] })],
      [volume('v', {})],
      `2 ${nothing}`,
    ],
    ['waits: taken', [claim({ storageClassName: 'local' })], [volume('v', {}, 'Bound')], `2 ${nothing}`],
    [
      'waits: being given to another',
      [claim({ storageClassName: 'local' })],
      [volume('assumed', {})],
      `2 ${nothing}`,
    ],
    ['waits: can be made on n2 only', [claim({ storageClassName: 'made' })], [], 'n2'],
    [
      'waits: is being made on n2',
      [claim({ storageClassName: 'made' }, { annotations: { 'volume.kubernetes.io/selected-node': 'n1' } })],
      [],
      `2 ${nothing}`,
    ],
  ];
  for (const [name, claims, volumes, expected] of cases) {
    const state = cluster(nodes);
    const prepared = prepareVolumes(user, state, storage(claims, volumes));
    const decision = schedule(state, user, { prepared });
    const got = decision.node ?? decision.message;
    const hopeless = 'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
    const whole =
      expected.startsWith('n') && expected.length === 2
        ? expected
        : `0/2 nodes are available: ${expected}. ${hopeless}`;
    assert.equal(got, whole, name);
  }
});

test('the plan gives the smallest volume that will do, or has one made', () => {
  const volumes = [volume('large', { capacity: { storage: '9Gi' } }), volume('fitting', {})];
  const planFor = (each: PersistentVolumeClaim) => {
    const prepared = prepareVolumes(user, cluster(nodes), storage([each], volumes));
    assert.ok('planFor' in prepared);
    const plan = prepared.planFor(nodes[1]!)!;
    return [
      plan.bind.map((binding) => binding.volume.metadata?.name),
      plan.provision.map(({ metadata }) => metadata?.name),
    ];
  };
  assert.deepEqual(planFor(claim({ storageClassName: 'local' })), [['fitting'], []]);
  assert.deepEqual(planFor(claim({ storageClassName: 'made' })), [[], ['data']]);
});

test('a ReadWriteOncePod claim has one pod in the whole cluster, and a more important pod can take its place', () => {
  const exclusive = claim({ volumeName: 'v', accessModes: ['ReadWriteOncePod'] }, { phase: 'Bound' });
  const other = { ...user, metadata: { name: 'b', namespace: 'default', uid: 'b' } };
  const state = cluster(nodes, [[other, 'n1']]);
  const decide = (priority: number) => {
    const asked = { ...user, spec: { ...user.spec!, priority } };
    const prepared = prepareVolumes(asked, state, storage([exclusive], [volume('v', {}, 'Bound')]));
    return schedule(state, asked, { prepared });
  };
  const refused = decide(0);
  assert.match(
    refused.node === undefined ? refused.message : '',
    /2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode\./,
  );
  const winning = decide(1);
  assert.equal(winning.node === undefined && winning.preemption?.node, 'n1');
});
