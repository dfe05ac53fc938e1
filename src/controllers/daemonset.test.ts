import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { controllerRevision as revisionKind } from '../api/kinds/controllerRevision.ts';
import { type DaemonSet, type DaemonSetSpec, daemonSet as daemonSetKind } from '../api/kinds/daemonSet.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ nodes: ['n1', 'n2'] });
});
after(() => cluster.close());

function agent(name: string, spec: Partial<DaemonSetSpec> = {}, pod: object = {}): DaemonSet {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app:1' }], ...pod } };
  return {
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: labels }, template, ...spec },
  };
}

const podsOf = async (app: string) =>
  (await cluster.client.list(podKind, { namespace: 'default', labelSelector: `app=${app}` })).items;

const settled = (name: string, count: number) =>
  until(`${name} on ${count} nodes`, async () => {
    const found = await find(cluster.client, daemonSetKind, name);
    const { status, metadata } = found ?? {};
    const isDone =
      status?.desiredNumberScheduled === count &&
      (status.updatedNumberScheduled ?? 0) === count &&
      (status.numberAvailable ?? 0) === count &&
      status.observedGeneration === metadata?.generation;
    return isDone && found;
  });

const setImage = (name: string, image: string) => {
  const body = { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } };
  return cluster.client.patch(daemonSetKind, { namespace: 'default', name }, { type: 'strategic', body });
};

test('a DaemonSet follows the nodes that come and the labels that they get', async () => {
  await cluster.client.create(daemonSetKind, agent('all'));
  await cluster.client.create(daemonSetKind, agent('some', {}, { nodeSelector: { disk: 'fast' } }));
  await settled('all', 2);
  await settled('some', 0);
  await cluster.addNode('n3', { disk: 'fast' });
  await settled('all', 3);
  await settled('some', 1);
  const nodes = (await podsOf('all')).map(({ spec }) => spec?.nodeName).sort();
  assert.deepEqual(nodes, ['n1', 'n2', 'n3']);
  await cluster.client.patch(
    nodeKind,
    { name: 'n3' },
    { type: 'merge', body: { metadata: { labels: { disk: null } } } },
  );
  await settled('some', 0);
  await until('no pod', async () => (await podsOf('some')).length === 0);
});

test('an update rolls over the nodes, keeps its history, and goes back to the revision of before', async () => {
  await cluster.client.create(daemonSetKind, agent('roll'));
  await settled('roll', 3);
  await setImage('roll', 'app:2');
  await settled('roll', 3);
  assert.ok((await podsOf('roll')).every(({ spec }) => spec?.containers[0]?.image === 'app:2'));
  const history = async () =>
    (await cluster.client.list(revisionKind, { namespace: 'default', labelSelector: 'app=roll' })).items;
  assert.deepEqual((await history()).map(({ revision }) => revision).sort(), [1, 2]);
  const first = (await history()).find(({ revision }) => revision === 1)!;
  const key = { namespace: 'default', name: 'roll' };
  await cluster.client.patch(daemonSetKind, key, { type: 'strategic', body: first.data });
  await settled('roll', 3);
  assert.ok((await podsOf('roll')).every(({ spec }) => spec?.containers[0]?.image === 'app:1'));
  await until('the first revision is the newest', async () => {
    const renumbered = (await history()).find(({ metadata }) => metadata?.uid === first.metadata?.uid);
    return renumbered?.revision === 3 && (await history()).length === 2;
  });
  const label = 'controller-revision-hash';
  const hash = (await podsOf('roll'))[0]?.metadata?.labels?.[label];
  assert.equal(first.metadata?.labels?.[label], hash);
  assert.equal(first.metadata?.name, `roll-${hash}`);
});

test('old revisions beyond the limit go', async () => {
  await cluster.client.create(daemonSetKind, agent('brief', { revisionHistoryLimit: 1 }));
  for (const version of [2, 3, 4]) {
    await settled('brief', 3);
    await setImage('brief', `app:${version}`);
  }
  await until('two revisions', async () => {
    const { items } = await cluster.client.list(revisionKind, {
      namespace: 'default',
      labelSelector: 'app=brief',
    });
    return items.length === 2 && items.some(({ revision }) => revision === 4);
  });
  await cluster.client.delete(daemonSetKind, { namespace: 'default', name: 'brief' });
  await until('nothing left', async () => {
    const { items } = await cluster.client.list(revisionKind, {
      namespace: 'default',
      labelSelector: 'app=brief',
    });
    return items.length === 0 && (await podsOf('brief')).length === 0;
  });
});

test('what is wrong with a DaemonSet is said in the words that Kubernetes uses', async () => {
  const both = {
    updateStrategy: { type: 'RollingUpdate' as const, rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
  };
  const none = {
    updateStrategy: { type: 'RollingUpdate' as const, rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } },
  };
  const refused = (object: DaemonSet, pattern: RegExp) =>
    assert.rejects(cluster.client.create(daemonSetKind, object), pattern);
  await refused(
    agent('a', both),
    /maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero/,
  );
  await refused(agent('a', none), /maxUnavailable: Required value: cannot be 0 when maxSurge is 0/);
  await refused(
    agent('a', { selector: { matchLabels: { app: 'b' } } }),
    /`selector` does not match template `labels`/,
  );
  await refused(agent('a', {}, { restartPolicy: 'Never' }), /restartPolicy: Unsupported value: "Never"/);
});
