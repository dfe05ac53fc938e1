import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import type { StorageClass } from '../../api/kinds/storageClass.ts';
import { defaultClassAnnotation } from '../../api/storage-class.ts';
import { bindCompleted, provisionedBy, selectedNode } from './annotations.ts';
import { planClaim } from './plan-claim.ts';
import { planVolume } from './plan-volume.ts';

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>;
type VolumeSpec = NonNullable<PersistentVolume['spec']>;

const claimOf = (
  spec: Partial<ClaimSpec> = {},
  annotations: Record<string, string> = {},
): PersistentVolumeClaim => ({
  metadata: { name: 'data', namespace: 'default', uid: 'c1', annotations },
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: '',
    ...spec,
  },
  status: { phase: 'Pending' },
});

const volumeOf = (
  name: string,
  storage: string,
  spec: Partial<VolumeSpec> = {},
  phase: 'Available' | 'Bound' | 'Released' = 'Available',
): PersistentVolume => ({
  metadata: { name, labels: { name } },
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage }, hostPath: { path: `/${name}` }, ...spec },
  status: { phase },
});

const classOf = (name: string, more: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name },
  provisioner: 'example.com/made',
  ...more,
});

/** What a plan says in one line. */
function said(claim: PersistentVolumeClaim, volumes: PersistentVolume[] = [], classes: StorageClass[] = []) {
  const planned = planClaim({ claim, volumes, classes });
  if (planned.kind === 'bind') return `bind ${planned.volume.metadata?.name}`;
  if (planned.kind === 'assignClass') return `class ${planned.name}`;
  return `${planned.kind}${planned.tell ? ` ${planned.tell.reason}: ${planned.tell.message}` : ''}`;
}

test('a claim gets the smallest volume that is large enough, of its class, its modes and its selector', () => {
  const volumes = [
    volumeOf('tiny', '100Mi'),
    volumeOf('huge', '10Gi'),
    volumeOf('fits', '2Gi'),
    volumeOf('other', '1Gi', { storageClassName: 'fast' }),
    volumeOf('shared', '1Gi', { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }),
    volumeOf('block', '1Gi', { volumeMode: 'Block' }),
    volumeOf('left', '1Gi', {}, 'Released'),
  ];
  assert.equal(said(claimOf(), volumes), 'bind fits');
  assert.equal(said(claimOf({ accessModes: ['ReadWriteMany'] }), volumes), 'bind shared');
  assert.equal(said(claimOf({ storageClassName: 'fast' }), volumes), 'bind other');
  assert.equal(said(claimOf({ volumeMode: 'Block' }), volumes), 'bind block');
  const selector = { matchLabels: { name: 'huge' } };
  assert.equal(said(claimOf({ selector }), volumes), 'bind huge');
  const nothing = 'no persistent volumes available for this claim and no storage class is set';
  const large = { resources: { requests: { storage: '1Ti' } } };
  assert.equal(said(claimOf(large), volumes), `wait FailedBinding: ${nothing}`);
});

test('a volume that is kept for a claim goes to it and to no other, even before a smaller one', () => {
  const kept = volumeOf('kept', '5Gi', { claimRef: { namespace: 'default', name: 'data' } });
  const foreign = volumeOf('foreign', '1Gi', { claimRef: { namespace: 'default', name: 'else' } });
  assert.equal(said(claimOf(), [volumeOf('small', '1Gi'), kept, foreign]), 'bind kept');
  assert.match(said(claimOf(), [foreign]), /^wait FailedBinding/);
  const remade = volumeOf('old', '1Gi', { claimRef: { namespace: 'default', name: 'data', uid: 'c0' } });
  assert.match(said(claimOf(), [remade]), /^wait FailedBinding/);
});

test('a claim that names its volume waits for it, or says why it will not do', () => {
  const named = (spec: Partial<ClaimSpec> = {}) => claimOf({ volumeName: 'v', ...spec });
  assert.equal(said(named()), 'wait');
  assert.equal(said(named(), [volumeOf('v', '1Gi')]), 'bind v');
  const mismatch = (why: string) => `wait VolumeMismatch: Cannot bind to requested volume "v": ${why}`;
  assert.equal(said(named(), [volumeOf('v', '1Mi')]), mismatch('requested PV is too small'));
  const fast = volumeOf('v', '1Gi', { storageClassName: 'fast' });
  assert.equal(said(named(), [fast]), mismatch('storageClassName does not match'));
  const block = volumeOf('v', '1Gi', { volumeMode: 'Block' });
  assert.equal(said(named(), [block]), mismatch('incompatible volumeMode'));
  const many = named({ accessModes: ['ReadWriteMany'] });
  assert.equal(said(many, [volumeOf('v', '1Gi')]), mismatch('incompatible accessMode'));
  const taken = volumeOf('v', '1Gi', { claimRef: { namespace: 'default', name: 'else', uid: 'c2' } });
  const already = 'wait FailedBinding: volume "v" already bound to a different claim.';
  assert.equal(said(named(), [taken]), already);
});

test('a claim of a class is provided for at once, or when the scheduler has chosen a node', () => {
  const claim = claimOf({ storageClassName: 'made' });
  assert.match(said(claim), /^wait ProvisioningFailed: storageclass\.storage\.k8s\.io "made" not found$/);
  assert.match(
    said(claim, [], [classOf('made')]),
    /^provision ExternalProvisioning: .* by the external provisioner 'example\.com\/made' or manually/,
  );
  const delayed = classOf('made', { volumeBindingMode: 'WaitForFirstConsumer' });
  const free = volumeOf('v', '1Gi', { storageClassName: 'made' });
  const waits = 'wait WaitForFirstConsumer: waiting for first consumer to be created before binding';
  assert.equal(said(claim, [free], [delayed]), waits);
  const chosen = claimOf({ storageClassName: 'made' }, { [selectedNode]: 'n1' });
  assert.match(said(chosen, [free], [delayed]), /^provision /);
  const none = classOf('made', { provisioner: 'kubernetes.io/no-provisioner' });
  assert.match(
    said(claim, [], [none]),
    /^wait ProvisioningFailed: no volume plugin matched name: kubernetes/,
  );
});

test('a claim from before there was a default class gets it; one that wants none does not', () => {
  const annotations = { [defaultClassAnnotation]: 'true' };
  const old = classOf('old');
  old.metadata = { name: 'old', annotations, creationTimestamp: '2024-01-01T00:00:00Z' };
  const fresh = classOf('fresh');
  fresh.metadata = { name: 'fresh', annotations, creationTimestamp: '2024-02-01T00:00:00Z' };
  const { storageClassName: _, ...spec } = claimOf().spec!;
  assert.equal(said({ ...claimOf(), spec }, [], [old, fresh, classOf('x')]), 'class fresh');
  assert.match(said(claimOf(), [], [old]), /^wait FailedBinding/);
});

test('a claim that was bound never gets another volume', () => {
  const bound = claimOf({ volumeName: 'v' }, { [bindCompleted]: 'yes' });
  assert.match(said(bound, [volumeOf('w', '1Gi')]), /^lost ClaimLost: Bound claim has lost its Persistent/);
  const foreign = volumeOf('v', '1Gi', { claimRef: { namespace: 'default', name: 'data', uid: 'c2' } });
  assert.match(said(bound, [foreign]), /^lost ClaimMisbound: Two claims/);
  const own = volumeOf('v', '1Gi', { claimRef: { namespace: 'default', name: 'data', uid: 'c1' } });
  assert.equal(said(bound, [own]), 'bind v');
});

test("a volume's phase follows its claim, and its reclaim policy when that is gone", () => {
  const ref = { namespace: 'default', name: 'data', uid: 'c1' };
  const phase = (volume: PersistentVolume, claim?: PersistentVolumeClaim) => {
    const planned = planVolume(volume, claim);
    return planned.kind === 'phase' ? [planned.phase, planned.tell?.reason].join(' ').trim() : planned.kind;
  };
  assert.equal(phase(volumeOf('v', '1Gi')), 'Available');
  const kept = volumeOf('v', '1Gi', { claimRef: { namespace: 'default', name: 'data' } });
  assert.equal(phase(kept, claimOf()), 'Available');
  const bound = volumeOf('v', '1Gi', { claimRef: ref }, 'Bound');
  assert.equal(phase(bound, claimOf()), 'leave');
  assert.equal(phase(bound, claimOf({ volumeName: 'v' })), 'Bound');
  assert.equal(phase(bound, claimOf({ volumeName: 'w' })), 'unbind');
  assert.equal(phase(bound), 'Released');
  const remade = { ...claimOf(), metadata: { ...claimOf().metadata, uid: 'c2' } };
  assert.equal(phase(bound, remade), 'Released');
  const released = (policy: 'Delete' | 'Recycle' | 'Retain') =>
    volumeOf('v', '1Gi', { claimRef: ref, persistentVolumeReclaimPolicy: policy }, 'Released');
  assert.equal(phase(released('Retain')), 'Released');
  assert.equal(phase(released('Delete')), 'Failed VolumeFailedDelete');
  assert.equal(phase(released('Recycle')), 'Failed VolumeFailedRecycle');
  const made = released('Delete');
  made.metadata = { name: 'v', annotations: { [provisionedBy]: 'example.com/made' } };
  assert.equal(phase(made), 'Released');
});
