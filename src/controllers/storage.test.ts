import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { event as eventKind } from '../api/kinds/event.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { type PersistentVolume, persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { storageClass as classKind } from '../api/kinds/storageClass.ts';
import { localPathProvisioner, volumesFolderAnnotation } from '../api/local-path.ts';
import { until } from '../base/until.ts';
import { selectedNode } from './persistent-volume/annotations.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ nodes: ['n1'] });
  const metadata = { annotations: { [volumesFolderAnnotation]: '/data/volumes' } };
  await cluster.client.patch(nodeKind, { name: 'n1' }, { type: 'merge', body: { metadata } });
});
after(() => cluster.close());

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>;
const claim = (name: string, spec: Partial<ClaimSpec> = {}): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'default' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const volume = (name: string, spec: Partial<NonNullable<PersistentVolume['spec']>>): PersistentVolume => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' }, hostPath: { path: '/x' }, ...spec },
});
const at = (name: string) => ({ namespace: 'default', name });
const phaseOf = async (name: string) => (await find(cluster.client, volumeKind, name))?.status?.phase;
const bound = (name: string) =>
  until(`${name} bound`, async () => {
    const found = await find(cluster.client, claimKind, name);
    return found?.status?.phase === 'Bound' && found;
  });
const told = (reason: string, pattern: RegExp) =>
  until(`${reason} ${pattern}`, async () => {
    const { items } = await cluster.client.list(eventKind, { namespace: 'default' });
    return items.some((event) => event.reason === reason && pattern.test(event.message ?? ''));
  });
const podWith = (name: string, claimName: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: {
    containers: [{ name: 'main', image: 'app:1' }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
  },
});

test('a claim is bound to a volume that is there, which is released when it goes', async () => {
  const { client } = cluster;
  await client.create(volumeKind, volume('disk', { storageClassName: 'manual' }));
  await until('available', async () => (await phaseOf('disk')) === 'Available');
  await client.create(claimKind, claim('a', { storageClassName: 'manual' }));
  const { spec, status, metadata } = await bound('a');
  assert.equal(spec?.volumeName, 'disk');
  assert.deepEqual([status?.capacity, status?.accessModes], [{ storage: '2Gi' }, ['ReadWriteOnce']]);
  assert.deepEqual(metadata?.finalizers, ['kubernetes.io/pvc-protection']);
  const disk = await find(client, volumeKind, 'disk');
  assert.equal(disk?.spec?.claimRef?.uid, metadata?.uid);
  await until('bound', async () => (await phaseOf('disk')) === 'Bound');
  await client.delete(claimKind, at('a'));
  await until('released', async () => (await phaseOf('disk')) === 'Released');
  // Not taken by the next claim: what the last one wrote is still there.
  await client.create(claimKind, claim('b', { storageClassName: 'manual' }));
  await told('ProvisioningFailed', /storageclass\.storage\.k8s\.io "manual" not found/);
  await client.patch(volumeKind, { name: 'disk' }, { type: 'merge', body: { spec: { claimRef: null } } });
  await bound('b');
});

test('one volume that two claims want goes to one of them', async () => {
  const { client } = cluster;
  await client.create(volumeKind, volume('one', { storageClassName: 'rare' }));
  await Promise.all(
    ['x', 'y'].map((name) => client.create(claimKind, claim(name, { storageClassName: 'rare' }))),
  );
  const phases = () =>
    Promise.all(['x', 'y'].map(async (name) => (await find(client, claimKind, name))?.status?.phase));
  await until('one bound', async () => (await phases()).includes('Bound'));
  await told('ProvisioningFailed', /storageclass\.storage\.k8s\.io "rare" not found/);
  assert.deepEqual((await phases()).sort(), ['Bound', 'Pending']);
});

test('the class local-path makes a folder of the chosen node, and takes it away with the claim', async () => {
  const { client } = cluster;
  const made = await client.create(claimKind, claim('home'));
  assert.equal(made.spec?.storageClassName, 'local-path');
  await told('WaitForFirstConsumer', /waiting for first consumer to be created before binding/);
  await client.create(podKind, podWith('user', 'home'));
  const { metadata, spec } = await bound('home');
  assert.equal(metadata?.annotations?.[selectedNode], 'n1');
  const name = `pvc-${metadata?.uid}`;
  assert.equal(spec?.volumeName, name);
  const found = await find(client, volumeKind, name);
  const { hostPath, nodeAffinity, persistentVolumeReclaimPolicy, capacity } = found!.spec!;
  assert.equal(hostPath?.path, `/data/volumes/${name}_default_home`);
  assert.equal(JSON.stringify(nodeAffinity).includes('["n1"]'), true);
  assert.deepEqual([persistentVolumeReclaimPolicy, capacity], ['Delete', { storage: '1Gi' }]);
  await told('ProvisioningSucceeded', /Successfully provisioned volume pvc-/);
  await until('the pod runs', async () => (await find(client, podKind, 'user'))?.status?.phase === 'Running');

  // In use: it stays until the pod is gone.
  await client.delete(claimKind, at('home'));
  assert.ok((await find(client, claimKind, 'home'))?.metadata?.deletionTimestamp);
  await client.delete(podKind, at('user'));
  await until('no claim', async () => (await find(client, claimKind, 'home')) === undefined);
  const isWaiting = () => find(client, volumeKind, name);
  await until('the node to remove the folder', async () => {
    const { finalizers = [], deletionTimestamp } = (await isWaiting())?.metadata ?? {};
    return deletionTimestamp && finalizers.length === 1 && finalizers[0] === localPathProvisioner;
  });
  await client.delete(nodeKind, { name: 'n1' });
  await until('no volume, as the node is gone', async () => (await isWaiting()) === undefined);
  await cluster.addNode('n1', {});
  const annotations = { [volumesFolderAnnotation]: '/data/volumes' };
  const body = { metadata: { annotations } };
  await client.patch(nodeKind, { name: 'n1' }, { type: 'merge', body });
});

test('a bound claim may grow where its class lets it', async () => {
  const { client } = cluster;
  await client.create(claimKind, claim('grow'));
  const grow = (storage: string) =>
    client.patch(claimKind, at('grow'), {
      type: 'merge',
      body: { spec: { resources: { requests: { storage } } } },
    });
  await assert.rejects(grow('2Gi'), /spec is immutable after creation|only bound persistent volume claims/);
  await client.create(podKind, podWith('grower', 'grow'));
  await bound('grow');
  await grow('3Gi');
  await until('3Gi', async () => {
    const { spec, status } = (await find(client, claimKind, 'grow')) ?? {};
    const size = (await find(client, volumeKind, spec?.volumeName ?? ''))?.spec?.capacity?.storage;
    return status?.capacity?.storage === '3Gi' && size === '3Gi';
  });
  await assert.rejects(grow('1Gi'), /storage: Forbidden: field can not be less than status\.capacity/);
  const fixed = { type: 'merge', body: { allowVolumeExpansion: false } } as const;
  await client.patch(classKind, { name: 'local-path' }, fixed);
  await assert.rejects(grow('4Gi'), /only dynamically provisioned pvc can be resized/);
});

test("an ephemeral volume's claim is the pod's, and never one that was there before", async () => {
  const { client } = cluster;
  const spec = claim('').spec!;
  const pod = (name: string): Pod => ({
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'main', image: 'app:1' }],
      volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }],
    },
  });
  const made = await client.create(podKind, pod('batch'));
  const { metadata } = await bound('batch-scratch');
  assert.deepEqual(
    metadata?.ownerReferences?.map(({ kind, uid, controller }) => [kind, uid, controller]),
    [['Pod', made.metadata?.uid, true]],
  );
  await client.delete(podKind, at('batch'));
  await until('no claim', async () => (await find(client, claimKind, 'batch-scratch')) === undefined);
  await client.create(claimKind, claim('late-scratch'));
  await client.create(podKind, pod('late'));
  await told('FailedBinding', /^ephemeral volume scratch: PVC default\/late-scratch was not created for pod/);
});
