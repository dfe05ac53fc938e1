import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import {
  podDisruptionBudget as budgetKind,
  type PodDisruptionBudgetSpec,
} from '../api/kinds/podDisruptionBudget.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { StatusError } from '../base/errors.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

async function start(name: string, options: { image?: string; replicas?: number } = {}): Promise<void> {
  const { image = 'app:1', replicas = 3 } = options;
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image }] } };
  await cluster.client.create(deploymentKind, {
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template },
  });
  await until('running pods', async () => {
    const pods = await podsOf(name);
    return pods.length === replicas && pods.every(({ status }) => status?.phase === 'Running');
  });
}

const podsOf = async (app: string) => {
  const { items } = await cluster.client.list(podKind, { namespace: 'default', labelSelector: `app=${app}` });
  return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
};

const protect = (name: string, spec: PodDisruptionBudgetSpec) =>
  cluster.client.create(budgetKind, {
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: { app: name } }, ...spec },
  });

const allowing = (name: string, disruptions: number) =>
  until(`${disruptions} disruptions of ${name}`, async () => {
    const found = await find(cluster.client, budgetKind, name);
    const { status, metadata } = found ?? {};
    return (
      status?.disruptionsAllowed === disruptions &&
      status.observedGeneration === metadata?.generation &&
      found
    );
  });

async function evict(name: string): Promise<StatusError | undefined> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } };
  try {
    // The eviction subresource takes an Eviction and answers with a Status.
    await cluster.client.create(podKind as KindAddress<KubeObject>, eviction, { subresource: 'eviction' });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return error;
  }
}

test('evictions stop where the budget ends, and go on when new pods are ready', async () => {
  await start('web');
  await protect('web', { minAvailable: 2 });
  const { status } = await allowing('web', 1);
  assert.deepEqual([status?.currentHealthy, status?.desiredHealthy, status?.expectedPods], [3, 2, 3]);
  const [first, second] = await podsOf('web');
  const answers = await Promise.all([evict(first!.metadata!.name!), evict(second!.metadata!.name!)]);
  const refused = answers.filter((answer) => answer !== undefined);
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.code, 429);
  assert.equal(refused[0]?.message, "Cannot evict pod as it would violate the pod's disruption budget.");
  assert.match(
    refused[0]?.details?.causes?.[0]?.message ?? '',
    /^The disruption budget web needs 2 healthy pods and has \d currently$/,
  );
  await allowing('web', 1);
  assert.equal((await podsOf('web')).length, 3);
});

test('pods that are not ready go where the budget is met without them, or always', async () => {
  await start('sick', { image: cluster.brokenImage, replicas: 2 });
  await protect('sick', { minAvailable: 1 });
  await allowing('sick', 0);
  const [pod] = await podsOf('sick');
  assert.equal((await evict(pod!.metadata!.name!))?.code, 429);
  const body = { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } };
  await cluster.client.patch(budgetKind, { namespace: 'default', name: 'sick' }, { type: 'merge', body });
  await allowing('sick', 0);
  assert.equal(await evict(pod!.metadata!.name!), undefined);
});

test('a pod under two budgets cannot be evicted, and one under none can', async () => {
  await start('twice', { replicas: 1 });
  const selector = { matchLabels: { app: 'twice' } };
  await protect('twice', { minAvailable: 0 });
  await protect('again', { minAvailable: 0, selector });
  const [pod] = await podsOf('twice');
  const refused = await evict(pod!.metadata!.name!);
  assert.deepEqual(
    [refused?.code, /more than one PodDisruptionBudget/.test(refused?.message ?? '')],
    [500, true],
  );
  for (const name of ['twice', 'again'])
    await cluster.client.delete(budgetKind, { namespace: 'default', name });
  assert.equal(await evict(pod!.metadata!.name!), undefined);
  assert.equal((await evict('nobody'))?.code, 404);
});

test('what is wrong with a budget is said in the words that Kubernetes uses', async () => {
  await assert.rejects(
    protect('a', { minAvailable: 1, maxUnavailable: 1 }),
    /minAvailable and maxUnavailable cannot be both set/,
  );
  await assert.rejects(protect('a', { minAvailable: '101%' }), /must not be greater than 100%/);
  await assert.rejects(protect('a', { maxUnavailable: -1 }), /must be greater than or equal to 0/);
});
