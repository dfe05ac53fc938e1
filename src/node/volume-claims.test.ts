import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { node as nodeKind } from '../api/kinds/node.ts';
import { persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import { persistentVolumeClaim as claimKind } from '../api/kinds/persistentVolumeClaim.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { localPathProvisioner, volumeNodeLabel, volumesFolderAnnotation } from '../api/local-path.ts';
import { isStatus } from '../base/errors.ts';
import { until } from '../base/until.ts';
import { startTestCluster, type TestCluster } from './testing-cluster.ts';

const image = 'web:1';
const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** A node, and a claim `data` that is bound to a volume `pvc-1` of it, as binder and provisioner leave them. */
async function setUp(t: TestContext, path?: string): Promise<TestCluster & { folder: string }> {
  const cluster = await startTestCluster(t);
  await cluster.build(image);
  await cluster.startNode();
  const { metadata } = await cluster.admin.get(nodeKind, { name: 'n1' });
  const volumesFolder = metadata?.annotations?.[volumesFolderAnnotation] ?? '';
  assert.equal(volumesFolder, join(cluster.dataDir, 'volumes'));
  const folder = path ?? join(volumesFolder, 'pvc-1_default_data');
  const modes = { accessModes: ['ReadWriteOnce'] };
  await cluster.admin.create(volumeKind, {
    metadata: { name: 'pvc-1', labels: { [volumeNodeLabel]: 'n1' }, finalizers: [localPathProvisioner] },
    spec: {
      ...modes,
      capacity: { storage: '1Gi' },
      claimRef: { namespace: 'default', name: 'data' },
      hostPath: { path: folder },
      persistentVolumeReclaimPolicy: 'Delete',
    },
  });
  const requests = { storage: '1Gi' };
  await cluster.admin.create(claimKind, {
    metadata: { name: 'data', namespace: 'default' },
    spec: { ...modes, resources: { requests }, volumeName: 'pvc-1' },
  });
  await setPhase(cluster, 'Bound');
  return { ...cluster, folder };
}

async function setPhase({ admin }: TestCluster, phase: 'Bound' | 'Pending'): Promise<void> {
  const patch = { type: 'merge', body: { status: { phase } } } as const;
  await admin.patch(claimKind, { namespace: 'default', name: 'data' }, patch, { subresource: 'status' });
}

const podUsing = (mount: object = {}, source: object = {}) => ({
  terminationGracePeriodSeconds: 0,
  volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data', ...source } }],
  containers: [{ name: 'web', image, volumeMounts: [{ name: 'v', mountPath: '/data', ...mount }] }],
});

const deletePod = async ({ admin, pod }: TestCluster) => {
  await admin.delete(podKind, { namespace: 'default', name: 'web' });
  await until('the pod is gone', async () => (await pod()) === undefined);
};

/** As the protection controller does with a volume that is no claim's; then the node removes it. */
async function unprotect({ admin }: TestCluster): Promise<void> {
  const body = { metadata: { finalizers: [localPathProvisioner] } };
  await admin.patch(volumeKind, { name: 'pvc-1' }, { type: 'merge', body });
  await until('the volume is gone', () =>
    admin.get(volumeKind, { name: 'pvc-1' }).then(
      () => false,
      (error) => isStatus(error, 'NotFound'),
    ),
  );
}

const mountsOf = ({ shim }: TestCluster) =>
  [...shim.specs.values()].at(-1)?.mounts.filter(({ mountPath }) => mountPath === '/data');

test('a claimed folder is made when a pod needs it, outlives the pod, and goes with the volume', async (t) => {
  const cluster = await setUp(t);
  const { admin, folder } = cluster;
  await cluster.createPod(podUsing());
  await cluster.podWhen('it runs', ({ status }) => status?.phase === 'Running');
  assert.deepEqual(mountsOf(cluster), [{ mountPath: '/data', hostPath: folder, readOnly: false }]);
  await writeFile(join(folder, 'kept'), 'yes');
  await deletePod(cluster);
  await cluster.createPod(podUsing({ subPath: 'deep/er', readOnly: false }));
  await cluster.podWhen('it runs again', ({ status }) => status?.phase === 'Running');
  assert.equal(await readFile(join(folder, 'kept'), 'utf8'), 'yes');
  assert.ok(await isThere(join(folder, 'deep/er')));
  await deletePod(cluster);

  await admin.delete(volumeKind, { name: 'pvc-1' });
  assert.ok(await isThere(folder), 'still protected');
  await unprotect(cluster);
  assert.equal(await isThere(folder), false);
});

test('a pod waits for its claim to be bound, and says so; read-only is passed on', async (t) => {
  const cluster = await setUp(t);
  await setPhase(cluster, 'Pending');
  await cluster.createPod(podUsing({}, { readOnly: true }));
  const waits = (reason: string) =>
    cluster.podWhen(reason, ({ status }) =>
      Boolean(status?.containerStatuses?.[0]?.state?.waiting?.message?.includes(reason)),
    );
  await waits('PVC default/data is not bound');
  await setPhase(cluster, 'Bound');
  await cluster.podWhen('it runs', ({ status }) => status?.phase === 'Running');
  assert.deepEqual(mountsOf(cluster), [{ mountPath: '/data', hostPath: cluster.folder, readOnly: true }]);
});

test("a volume that lies outside of the node's own folder needs the node's leave, and is never removed", async (t) => {
  const outside = join(process.cwd(), 'src');
  const cluster = await setUp(t, outside);
  await cluster.createPod(podUsing());
  await cluster.podWhen('it is refused', ({ status }) =>
    Boolean(status?.containerStatuses?.[0]?.state?.waiting?.message?.includes('is not allowed on this node')),
  );
  await deletePod(cluster);
  await cluster.admin.delete(volumeKind, { name: 'pvc-1' });
  await unprotect(cluster);
  assert.ok(await isThere(outside));
});
