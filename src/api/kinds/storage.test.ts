import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../defaults.ts';
import { toTable } from '../table.ts';
import { validate, validateUpdate } from '../validate.ts';
import { type PersistentVolume, persistentVolume } from './persistentVolume.ts';
import { type PersistentVolumeClaim, persistentVolumeClaim } from './persistentVolumeClaim.ts';
import { type StorageClass, storageClass } from './storageClass.ts';

type Spec<T extends { spec?: object }> = Partial<NonNullable<T['spec']>>;

const volume = (spec: Spec<PersistentVolume> = {}): PersistentVolume =>
  defaults(persistentVolume, {
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: '/data' },
      ...spec,
    },
  });
const claim = (spec: Spec<PersistentVolumeClaim> = {}): PersistentVolumeClaim =>
  defaults(persistentVolumeClaim, {
    metadata: { name: 'c', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  });

const said = (causes: { field?: string; message?: string }[]) =>
  causes.map(({ field, message }) => `${field}: ${message}`);

test('what is wrong with a volume is said as Kubernetes says it', () => {
  const wrong = (spec: Spec<PersistentVolume>) => said(validate(persistentVolume, volume(spec)));
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ accessModes: [] }), ['spec.accessModes: Required value']);
  assert.deepEqual(wrong({ accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] }), [
    'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
  ]);
  assert.match(wrong({ accessModes: ['Often'] })[0]!, /^spec\.accessModes: Unsupported value: "Often": supp/);
  assert.deepEqual(wrong({ capacity: {} }), [
    'spec.capacity: Required value',
    'spec.capacity: Unsupported value: core.ResourceList{}: supported values: "storage"',
  ]);
  assert.deepEqual(wrong({ capacity: { storage: '-1' } }), [
    'spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity',
    'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
  ]);
  assert.deepEqual(wrong({ hostPath: { path: '../a' } }), [
    `spec.hostPath.path: Invalid value: "../a": must not contain '..'`,
  ]);
  assert.match(
    wrong({ hostPath: { path: '/a', type: 'X' as 'File' } })[0]!,
    /^spec\.hostPath\.type: Unsupp.*"", "Block/,
  );
  assert.match(wrong({ capacity: { storage: '0' } })[0]!, /capacity\[storage\]: .*must be greater than zero/);
  assert.deepEqual(wrong({ nfs: { path: '/', server: 's' } }), [
    'spec.nfs: Forbidden: may not specify more than 1 volume type',
  ]);
  const { hostPath: _, ...bare } = volume().spec!;
  assert.deepEqual(said(validate(persistentVolume, { ...volume(), spec: bare })), [
    'spec: Required value: must specify a volume type',
  ]);
  assert.deepEqual(
    said(validate(persistentVolume, { ...volume(), spec: { ...bare, local: { path: '/l' } } })),
    ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
  );
  const ofDriver = { ...bare, csi: { driver: 'a b', volumeHandle: 'v' }, nfs: { path: 'x', server: 's' } };
  assert.deepEqual(
    said(validate(persistentVolume, { ...volume(), spec: ofDriver })).map((each) => each.slice(0, 45)),
    [
      'spec.csi.driver: Invalid value: "a b": a lower',
      'spec.nfs.path: Invalid value: "x": must be an ',
      'spec.nfs: Forbidden: may not specify more than',
    ].map((each) => each.slice(0, 45)),
  );
  const moved = volume({ hostPath: { path: '/else' } });
  assert.match(
    said(validateUpdate(persistentVolume, moved, volume()))[0]!,
    /persistentvolumesource is immut/,
  );
});

test('what is wrong with a claim is said as Kubernetes says it', () => {
  const wrong = (spec: Spec<PersistentVolumeClaim>) => said(validate(persistentVolumeClaim, claim(spec)));
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ storageClassName: '' }), []);
  assert.deepEqual(wrong({ accessModes: [] }), [
    'spec.accessModes: Required value: at least 1 access mode is required',
  ]);
  assert.deepEqual(wrong({ resources: {} }), ['spec.resources[storage]: Required value']);
  assert.match(
    wrong({ storageClassName: 'No Name' })[0]!,
    /^spec\.storageClassName: Invalid value: "No Name"/,
  );
});

test('a claim keeps what it asked for, but for its volume, its first class, and its size once it is bound', () => {
  const change = (next: Spec<PersistentVolumeClaim>, before: PersistentVolumeClaim = claim()) =>
    said(validateUpdate(persistentVolumeClaim, { ...before, spec: { ...before.spec!, ...next } }, before));
  const larger = { resources: { requests: { storage: '2Gi' } } };
  const bound: PersistentVolumeClaim = {
    ...claim({ storageClassName: 'a', volumeName: 'v' }),
    status: { phase: 'Bound', capacity: { storage: '1Gi' } },
  };
  assert.deepEqual(change({ volumeName: 'v' }), []);
  assert.deepEqual(change({ storageClassName: 'a' }), []);
  assert.match(
    change({ storageClassName: 'b' }, bound)[0]!,
    /^spec: Forbidden: spec is immutable after creat/,
  );
  assert.match(change({ volumeName: 'w' }, bound)[0]!, /^spec: Forbidden: spec is immutable/);
  assert.match(
    change(larger)[0]!,
    /except resources\.requests and volumeAttributesClassName for bound claims$/,
  );
  assert.deepEqual(change(larger, bound), []);
  const smaller = { resources: { requests: { storage: '1Mi' } } };
  assert.deepEqual(change(smaller, bound), [
    'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
  ]);
});

test('a class keeps who makes its volumes and how', () => {
  const before: StorageClass = defaults(storageClass, {
    metadata: { name: 's' },
    provisioner: 'example.com/p',
  });
  const change = (next: Partial<StorageClass>) =>
    said(validateUpdate(storageClass, { ...before, ...next }, before));
  assert.deepEqual(change({ allowVolumeExpansion: true }), []);
  assert.deepEqual(change({ provisioner: 'q' }), [
    'provisioner: Forbidden: updates to provisioner are forbidden.',
  ]);
  assert.deepEqual(change({ parameters: { a: 'b' } }), [
    'parameters: Forbidden: updates to parameters are forbidden.',
  ]);
  assert.match(change({ volumeBindingMode: 'WaitForFirstConsumer' })[0]!, /field is immutable/);
});

test('columns are those of kubectl get', () => {
  const cells = (rows: { cells: unknown[] }[]) => rows[0]!.cells;
  const options = { nowMs: 0 };
  const bound = volume({
    claimRef: { namespace: 'default', name: 'c' },
    accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
    storageClassName: 'fast',
  });
  assert.deepEqual(cells(toTable(persistentVolume, [bound], options).rows), [
    'v',
    '1Gi',
    'RWO,RWX',
    'Retain',
    'Pending',
    'default/c',
    'fast',
    '<unset>',
    '',
    '<unknown>',
    'Filesystem',
  ]);
  const own = {
    ...claim({ volumeName: 'v' }),
    status: { capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'] },
  };
  assert.deepEqual(cells(toTable(persistentVolumeClaim, [own], options).rows).slice(2, 5), [
    'v',
    '2Gi',
    'RWO',
  ]);
  const isDefault = {
    metadata: { name: 's', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'p',
  };
  assert.deepEqual(
    cells(toTable(storageClass, [defaults(storageClass, isDefault)], options).rows).slice(0, 5),
    ['s (default)', 'p', 'Delete', 'Immediate', 'false'],
  );
});
