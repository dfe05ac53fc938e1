import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Deployment, deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { endpointSlice as endpointSliceKind } from '../api/kinds/endpointSlice.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { replicaSet as replicaSetKind } from '../api/kinds/replicaSet.ts';
import { replicationController as rcKind } from '../api/kinds/replicationController.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

function web(name: string, options: { image?: string; replicas?: number } = {}): Deployment {
  const { image = 'app:1', replicas = 3 } = options;
  const labels = { app: name };
  return {
    metadata: { name, namespace: 'default', labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } },
    },
  };
}

async function complete(name: string, replicas: number): Promise<Deployment> {
  return until(`deployment ${name} with ${replicas} pods`, async () => {
    const found = await find(cluster.client, deploymentKind, name);
    const { status, metadata } = found ?? {};
    const isDone =
      status?.updatedReplicas === replicas &&
      status.replicas === replicas &&
      status.availableReplicas === replicas &&
      status.observedGeneration === metadata?.generation &&
      status.conditions?.some(({ reason }) => reason === 'NewReplicaSetAvailable');
    return isDone && found;
  });
}

const podsOf = async (app: string) =>
  (await cluster.client.list(podKind, { namespace: 'default', labelSelector: `app=${app}` })).items;

const setImage = (name: string, image: string) =>
  cluster.client.patch(
    deploymentKind,
    { namespace: 'default', name },
    { type: 'strategic', body: { spec: { template: { spec: { containers: [{ name: 'web', image }] } } } } },
  );

const eventsAbout = async (name: string) =>
  (await cluster.client.list(eventKind, { namespace: 'default' })).items.filter(
    ({ involvedObject }) => involvedObject.name === name,
  );

test('a Deployment comes up, spread over the nodes, with the conditions and events that kubectl shows', async () => {
  await cluster.client.create(deploymentKind, web('up', { replicas: 4 }));
  const { status, metadata } = await complete('up', 4);
  assert.equal(metadata?.annotations?.['deployment.kubernetes.io/revision'], '1');
  assert.equal(status?.readyReplicas, 4);
  assert.equal(status?.unavailableReplicas ?? 0, 0);
  const available = status?.conditions?.find(({ type }) => type === 'Available');
  assert.equal(available?.reason, 'MinimumReplicasAvailable');
  const pods = await podsOf('up');
  assert.deepEqual(pods.map(({ spec }) => spec?.nodeName).sort(), ['n1', 'n1', 'n2', 'n2']);
  for (const { metadata } of pods) assert.match(metadata?.name ?? '', /^up-[a-z0-9]{8,10}-[a-z0-9]{5}$/);
  const [pod] = pods;
  await until('the events', async () => {
    const mine = await eventsAbout(pod?.metadata?.name ?? '');
    return mine.some(
      ({ reason, message }) =>
        reason === 'Scheduled' &&
        message === `Successfully assigned default/${pod?.metadata?.name} to ${pod?.spec?.nodeName}`,
    );
  });
  await until('the scaling event', async () => {
    const scaled = await eventsAbout('up');
    return scaled.some(({ message }) => /^Scaled up replica set up-\w+ from 0 to 4$/.test(message ?? ''));
  });
});

test('a new image rolls out, history is kept, and the old template gets its old ReplicaSet back', async () => {
  await cluster.client.create(deploymentKind, web('roll'));
  await complete('roll', 3);
  const [first] = await podsOf('roll');
  await setImage('roll', 'app:2');
  await until('the new pods', async () =>
    (await podsOf('roll')).every(({ spec }) => spec?.containers[0]?.image === 'app:2'),
  );
  const second = await complete('roll', 3);
  assert.equal(second.metadata?.annotations?.['deployment.kubernetes.io/revision'], '2');
  await setImage('roll', 'app:1');
  await until('the old image', async () =>
    (await podsOf('roll')).every(({ spec }) => spec?.containers[0]?.image === 'app:1'),
  );
  const third = await complete('roll', 3);
  assert.equal(third.metadata?.annotations?.['deployment.kubernetes.io/revision'], '3');
  const { items } = await cluster.client.list(replicaSetKind, {
    namespace: 'default',
    labelSelector: 'app=roll',
  });
  assert.equal(items.length, 2);
  const reused = items.find(({ metadata }) => metadata?.uid === first?.metadata?.ownerReferences?.[0]?.uid);
  assert.equal(reused?.spec?.replicas, 3);
  assert.equal(reused?.metadata?.annotations?.['deployment.kubernetes.io/revision'], '3');
  assert.equal(reused?.metadata?.annotations?.['deployment.kubernetes.io/revision-history'], '1');
});

test('a broken image stops the rollout while enough old pods go on', async () => {
  await cluster.client.create(deploymentKind, web('half', { replicas: 4 }));
  await complete('half', 4);
  await setImage('half', cluster.brokenImage);
  await until('the surge', async () => {
    const { status } = (await find(cluster.client, deploymentKind, 'half'))!;
    return status?.updatedReplicas === 2 && status.availableReplicas === 3 && status.replicas === 5;
  });
  await setImage('half', 'app:3');
  await complete('half', 4);
});

test('scaling follows at once in both directions and gives up unready pods first', async () => {
  await cluster.client.create(deploymentKind, web('size', { replicas: 1 }));
  await complete('size', 1);
  const key = { namespace: 'default', name: 'size' };
  await cluster.client.patch(deploymentKind, key, { type: 'merge', body: { spec: { replicas: 5 } } });
  await complete('size', 5);
  await cluster.client.patch(deploymentKind, key, { type: 'merge', body: { spec: { replicas: 2 } } });
  await complete('size', 2);
  await until('two pods', async () => (await podsOf('size')).length === 2);
  const { metadata } = (await find(cluster.client, deploymentKind, 'size'))!;
  assert.equal(metadata?.annotations?.['deployment.kubernetes.io/revision'], '1');
});

test('a pod that is deleted is replaced, once', async () => {
  await cluster.client.create(deploymentKind, web('heal', { replicas: 2 }));
  await complete('heal', 2);
  const [victim] = await podsOf('heal');
  await cluster.client.delete(podKind, { namespace: 'default', name: victim?.metadata?.name ?? '' });
  await until('the replacement', async () => {
    const pods = await podsOf('heal');
    return pods.length === 2 && pods.every(({ metadata }) => metadata?.uid !== victim?.metadata?.uid);
  });
  const [replicaSet] = (
    await cluster.client.list(replicaSetKind, { namespace: 'default', labelSelector: 'app=heal' })
  ).items;
  const created = await until('the events', async () => {
    const about = await eventsAbout(replicaSet?.metadata?.name ?? '');
    const found = about.filter(({ reason }) => reason === 'SuccessfulCreate');
    return found.length >= 3 && found;
  });
  assert.equal(created.length, 3);
});

test('a Recreate rollout starts new pods after the last old one is gone', async () => {
  const recreate = web('anew', { replicas: 2 });
  await cluster.client.create(deploymentKind, {
    ...recreate,
    spec: { ...recreate.spec!, strategy: { type: 'Recreate' } },
  });
  await complete('anew', 2);
  await setImage('anew', 'app:2');
  await until('new pods only', async () => {
    const images = new Set((await podsOf('anew')).map(({ spec }) => spec?.containers[0]?.image));
    assert.ok(images.size < 2, 'old and new pods at the same time');
    return images.has('app:2');
  });
  await complete('anew', 2);
});

test('a paused Deployment does not roll out until it is resumed', async () => {
  await cluster.client.create(deploymentKind, web('wait', { replicas: 1 }));
  await complete('wait', 1);
  const key = { namespace: 'default', name: 'wait' };
  await cluster.client.patch(deploymentKind, key, { type: 'merge', body: { spec: { paused: true } } });
  await setImage('wait', 'app:2');
  await until('the pause', async () => {
    const { status, metadata } = (await find(cluster.client, deploymentKind, 'wait'))!;
    const progress = status?.conditions?.find(({ type }) => type === 'Progressing');
    return progress?.reason === 'DeploymentPaused' && status?.observedGeneration === metadata?.generation;
  });
  assert.ok((await podsOf('wait')).every(({ spec }) => spec?.containers[0]?.image === 'app:1'));
  await cluster.client.patch(deploymentKind, key, { type: 'merge', body: { spec: { paused: false } } });
  await until('the new image', async () =>
    (await podsOf('wait')).every(({ spec }) => spec?.containers[0]?.image === 'app:2'),
  );
});

test('a Service finds its pods, gets an address, and follows a pod that goes', async () => {
  await cluster.client.create(deploymentKind, web('shop', { replicas: 2 }));
  await cluster.client.create(serviceKind, {
    metadata: { name: 'shop', namespace: 'default' },
    spec: { type: 'LoadBalancer', selector: { app: 'shop' }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  const addresses = async () => {
    const { items } = await cluster.client.list(endpointSliceKind, {
      namespace: 'default',
      labelSelector: 'kubernetes.io/service-name=shop',
    });
    assert.ok(items.length <= 1, 'one slice is enough');
    return items[0]?.endpoints.filter(({ conditions }) => conditions?.ready) ?? [];
  };
  const before = await until('two endpoints', async () => {
    const found = await addresses();
    return found.length === 2 && found;
  });
  const { metadata } = await until('the address', async () => {
    const found = await find(cluster.client, serviceKind, 'shop');
    return found?.metadata?.annotations?.['selvage.dev/load-balancer-ip'] !== undefined && found;
  });
  assert.equal(metadata?.annotations?.['selvage.dev/load-balancer-node'], 'n1');
  assert.equal(metadata?.annotations?.['selvage.dev/load-balancer-ip'], '127.42.0.1');
  const victim = before[0]!.targetRef!;
  await cluster.client.delete(podKind, { namespace: 'default', name: victim.name! });
  await until('other endpoints', async () => {
    const found = await addresses();
    return found.length === 2 && found.every(({ targetRef }) => targetRef?.uid !== victim.uid);
  });
});

test('deleting a Deployment takes its ReplicaSets and pods along', async () => {
  await cluster.client.create(deploymentKind, web('gone', { replicas: 2 }));
  await complete('gone', 2);
  await cluster.client.delete(deploymentKind, { namespace: 'default', name: 'gone' });
  await until('nothing left', async () => (await podsOf('gone')).length === 0);
  const { items } = await cluster.client.list(replicaSetKind, {
    namespace: 'default',
    labelSelector: 'app=gone',
  });
  assert.equal(items.length, 0);
});

test('an orphaning deletion leaves the ReplicaSet, and a new Deployment adopts it', async () => {
  await cluster.client.create(deploymentKind, web('free', { replicas: 2 }));
  await complete('free', 2);
  const pods = (await podsOf('free')).map(({ metadata }) => metadata?.uid).sort();
  await cluster.client.delete(
    deploymentKind,
    { namespace: 'default', name: 'free' },
    { propagationPolicy: 'Orphan' },
  );
  await until('the deletion', async () => !(await find(cluster.client, deploymentKind, 'free')));
  await cluster.client.create(deploymentKind, web('free', { replicas: 2 }));
  await complete('free', 2);
  assert.deepEqual((await podsOf('free')).map(({ metadata }) => metadata?.uid).sort(), pods);
});

test('a foreground deletion ends with the owner, after all that it owned', async () => {
  await cluster.client.create(deploymentKind, web('last', { replicas: 2 }));
  await complete('last', 2);
  await cluster.client.delete(
    deploymentKind,
    { namespace: 'default', name: 'last' },
    { propagationPolicy: 'Foreground' },
  );
  await until('the owner is gone', async () => !(await find(cluster.client, deploymentKind, 'last')));
  assert.equal((await podsOf('last')).length, 0);
});

test('a ReplicationController keeps its pods, scales, and adopts those that it selects', async () => {
  const labels = { app: 'old' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app:1' }] } };
  const key = { namespace: 'default', name: 'old' };
  await cluster.client.create(podKind, { metadata: { ...key, name: 'found', labels }, spec: template.spec });
  const made = await cluster.client.create(rcKind, { metadata: key, spec: { replicas: 2, template } });
  assert.deepEqual([made.spec?.selector, made.metadata?.labels], [labels, labels]);
  const settled = (replicas: number) =>
    until(`${replicas} ready pods`, async () => {
      const found = await find(cluster.client, rcKind, 'old');
      return found?.status?.readyReplicas === replicas && found.status.replicas === replicas && found;
    });
  await settled(2);
  const pods = await podsOf('old');
  assert.ok(pods.some(({ metadata }) => metadata?.name === 'found'));
  assert.ok(pods.every(({ metadata }) => metadata?.ownerReferences?.[0]?.kind === 'ReplicationController'));
  const scale = { type: 'merge', body: { spec: { replicas: 3 } } } as const;
  const scaled = await cluster.client.patch(rcKind, key, scale, { subresource: 'scale' });
  assert.equal((scaled as { status?: { selector?: unknown } }).status?.selector, 'app=old');
  await settled(3);
  await cluster.client.delete(rcKind, key, { propagationPolicy: 'Background' });
  await until('no pods', async () => (await podsOf('old')).length === 0);
  const wrong = { metadata: key, spec: { selector: { app: 'other' }, template } };
  await assert.rejects(cluster.client.create(rcKind, wrong), /`selector` does not match template `labels`/);
});
