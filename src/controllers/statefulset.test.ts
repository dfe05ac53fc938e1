import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { controllerRevision as revisionKind } from '../api/kinds/controllerRevision.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import { persistentVolumeClaim as claimKind } from '../api/kinds/persistentVolumeClaim.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import {
  type StatefulSet,
  type StatefulSetSpec,
  statefulSet as statefulSetKind,
} from '../api/kinds/statefulSet.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

function database(name: string, spec: Partial<StatefulSetSpec> = {}): StatefulSet {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app:1' }] } };
  const own = { serviceName: name, replicas: 3, selector: { matchLabels: labels }, template };
  return { metadata: { name, namespace: 'default' }, spec: { ...own, ...spec } };
}

const podsOf = async (app: string) => {
  const { items } = await cluster.client.list(podKind, { namespace: 'default', labelSelector: `app=${app}` });
  return items.sort((a, b) => a.metadata!.name!.localeCompare(b.metadata!.name!));
};

const settled = (name: string, replicas: number) =>
  until(`${name} with ${replicas} pods`, async () => {
    const found = await find(cluster.client, statefulSetKind, name);
    const { status, metadata } = found ?? {};
    const isDone =
      status?.replicas === replicas &&
      (status.readyReplicas ?? 0) === replicas &&
      status.currentRevision === status.updateRevision &&
      status.observedGeneration === metadata?.generation;
    return isDone && found;
  });

const change = (name: string, spec: object) =>
  cluster.client.patch(
    statefulSetKind,
    { namespace: 'default', name },
    { type: 'strategic', body: { spec } },
  );

const image = (value: string) => ({ template: { spec: { containers: [{ name: 'main', image: value }] } } });

test('a StatefulSet starts, scales, rolls out and back, and keeps the names of its pods', async () => {
  await cluster.client.create(statefulSetKind, database('db'));
  const first = await settled('db', 3);
  assert.deepEqual(
    (await podsOf('db')).map(({ metadata }) => metadata?.name),
    ['db-0', 'db-1', 'db-2'],
  );
  await change('db', image('app:2'));
  const second = await settled('db', 3);
  assert.notEqual(second.status?.updateRevision, first.status?.updateRevision);
  assert.ok((await podsOf('db')).every(({ spec }) => spec?.containers[0]?.image === 'app:2'));
  const { items } = await cluster.client.list(revisionKind, {
    namespace: 'default',
    labelSelector: 'app=db',
  });
  const old = items.find(({ metadata }) => metadata?.name === first.status?.updateRevision)!;
  const key = { namespace: 'default', name: 'db' };
  await cluster.client.patch(statefulSetKind, key, { type: 'strategic', body: old.data });
  const third = await settled('db', 3);
  assert.equal(third.status?.currentRevision, first.status?.currentRevision);
  await change('db', { replicas: 1 });
  await settled('db', 1);
  await until('the events', async () => {
    const events = await cluster.client.list(eventKind, { namespace: 'default' });
    const messages = events.items.map(({ message }) => message);
    const wanted = [
      'create Pod db-0 in StatefulSet db successful',
      'delete Pod db-2 in StatefulSet db successful',
    ];
    return wanted.every((message) => messages.includes(message));
  });
  await cluster.client.delete(statefulSetKind, key);
  await until('no pods', async () => (await podsOf('db')).length === 0);
});

test('a broken update stops at the last pod', async () => {
  await cluster.client.create(statefulSetKind, database('half'));
  await settled('half', 3);
  await change('half', image(cluster.brokenImage));
  await until(
    'a broken pod',
    async () => (await podsOf('half'))[2]?.spec?.containers[0]?.image === cluster.brokenImage,
  );
  const images = (await podsOf('half')).map(({ spec }) => spec?.containers[0]?.image);
  assert.deepEqual(images, ['app:1', 'app:1', cluster.brokenImage]);
});

test('a set that is deleted alone leaves pods and revisions, which the next one takes in', async () => {
  await cluster.client.create(statefulSetKind, database('left', { replicas: 2 }));
  await settled('left', 2);
  const before = await podsOf('left');
  const key = { namespace: 'default', name: 'left' };
  await cluster.client.delete(statefulSetKind, key, { propagationPolicy: 'Orphan' });
  await until('the set is gone', async () => !(await find(cluster.client, statefulSetKind, 'left')));
  const first = before[0]?.metadata?.name ?? '';
  const labels = { 'statefulset.kubernetes.io/pod-name': null };
  const body = { metadata: { labels } };
  await cluster.client.patch(podKind, { namespace: 'default', name: first }, { type: 'merge', body });
  await cluster.client.create(statefulSetKind, database('left', { replicas: 2 }));
  const { status } = await settled('left', 2);
  assert.equal(status?.collisionCount, 0);
  const uids = (pods: typeof before) => pods.map(({ metadata }) => metadata?.uid);
  assert.deepEqual(uids(await podsOf('left')), uids(before));
  await until('the label is back', async () => {
    const [pod] = await podsOf('left');
    return pod?.metadata?.labels?.['statefulset.kubernetes.io/pod-name'] === first;
  });
  const { items } = await cluster.client.list(revisionKind, {
    namespace: 'default',
    labelSelector: 'app=left',
  });
  assert.deepEqual(
    items.map(({ metadata }) => metadata?.ownerReferences?.length),
    [1],
  );
});

test('what is wrong with a StatefulSet is said in the words that Kubernetes uses', async () => {
  const refused = (object: StatefulSet, pattern: RegExp) =>
    assert.rejects(cluster.client.create(statefulSetKind, object), pattern);
  await refused(
    database('a', { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } }),
    /only allowed for updateStrategy 'RollingUpdate'/,
  );
  await cluster.client.create(statefulSetKind, database('fixed', { replicas: 0 }));
  await assert.rejects(
    change('fixed', { serviceName: 'other' }),
    /spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', /,
  );
  await change('fixed', { minReadySeconds: 1 });
});

const claimsOf = async (app: string) => {
  const { items } = await cluster.client.list(claimKind, {
    namespace: 'default',
    labelSelector: `app=${app}`,
  });
  return items
    .filter(({ metadata }) => !metadata?.deletionTimestamp)
    .map(({ metadata }) => metadata?.name ?? '')
    .sort();
};

/** A database whose pods each have a claim, and volumes that wait for them. */
async function withData(name: string, volumes: number, spec: Partial<StatefulSetSpec> = {}): Promise<void> {
  const accessModes = ['ReadWriteOnce'];
  const requests = { storage: '1Gi' };
  const claimSpec = { accessModes, storageClassName: name, resources: { requests } };
  for (let at = 0; at < volumes; at++) {
    await cluster.client.create(volumeKind, {
      metadata: { name: `${name}-${at}` },
      spec: {
        accessModes,
        capacity: requests,
        hostPath: { path: `/${name}/${at}` },
        storageClassName: name,
      },
    });
  }
  const volumeClaimTemplates = [{ metadata: { name: 'data' }, spec: claimSpec }];
  await cluster.client.create(statefulSetKind, database(name, { volumeClaimTemplates, ...spec }));
}

test('each pod has a claim of its own, which is kept when the set shrinks or is deleted', async () => {
  await withData('keep', 2, { replicas: 2 });
  await settled('keep', 2);
  assert.deepEqual(await claimsOf('keep'), ['data-keep-0', 'data-keep-1']);
  const [first] = await podsOf('keep');
  assert.deepEqual(first?.spec?.volumes?.find(({ name }) => name === 'data')?.persistentVolumeClaim, {
    claimName: 'data-keep-0',
  });
  await change('keep', { replicas: 1 });
  await settled('keep', 1);
  assert.deepEqual(await claimsOf('keep'), ['data-keep-0', 'data-keep-1']);
  const before = await find(cluster.client, claimKind, 'data-keep-1');
  await change('keep', { replicas: 2 });
  await settled('keep', 2);
  const after = await find(cluster.client, claimKind, 'data-keep-1');
  assert.equal(after?.metadata?.uid, before?.metadata?.uid);
  await assert.rejects(
    change('keep', { volumeClaimTemplates: [] }),
    /updates to statefulset spec for fields/,
  );
  await cluster.client.delete(statefulSetKind, { namespace: 'default', name: 'keep' });
  await until('no pods', async () => (await podsOf('keep')).length === 0);
  assert.deepEqual(await claimsOf('keep'), ['data-keep-0', 'data-keep-1']);
});

test('claims go with scaled-down pods, and with the set, where the retention policy says so', async () => {
  const policy = { whenScaled: 'Delete', whenDeleted: 'Delete' } as const;
  await withData('drop', 4, { replicas: 2, persistentVolumeClaimRetentionPolicy: policy });
  await settled('drop', 2);
  await change('drop', { replicas: 1 });
  await until('one claim', async () => (await claimsOf('drop')).join() === 'data-drop-0');
  await change('drop', { replicas: 2 });
  await settled('drop', 2);
  assert.deepEqual(await claimsOf('drop'), ['data-drop-0', 'data-drop-1']);
  await cluster.client.delete(statefulSetKind, { namespace: 'default', name: 'drop' });
  await until('no claims', async () => (await claimsOf('drop')).length === 0);
});
