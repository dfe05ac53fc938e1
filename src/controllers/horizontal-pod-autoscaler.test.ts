import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { horizontalPodAutoscaler as autoscalerKind } from '../api/kinds/horizontalPodAutoscaler.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

test('an autoscaler keeps its bounds, and says when the metrics do not come', async () => {
  const { client } = cluster;
  const labels = { app: 'web' };
  await client.create(deploymentKind, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 5,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app:1' }] } },
    },
  });
  await client.create(autoscalerKind, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 },
  });
  const replicas = async () => (await find(client, deploymentKind, 'web'))?.spec?.replicas;
  await until('three replicas', async () => (await replicas()) === 3);
  await until('the event', async () => {
    const { items } = await client.list(eventKind, { namespace: 'default' });
    const message = 'New size: 3; reason: Current number of replicas above Spec.MaxReplicas';
    return items.some((event) => event.reason === 'SuccessfulRescale' && event.message === message);
  });
  const body = { spec: { minReplicas: 2 } };
  await client.patch(autoscalerKind, { namespace: 'default', name: 'web' }, { type: 'merge', body });
  const condition = await until('no metrics', async () => {
    const { status } = (await find(client, autoscalerKind, 'web')) ?? {};
    return status?.conditions?.find(({ type, status: is }) => type === 'ScalingActive' && is === 'False');
  });
  assert.equal(condition.reason, 'FailedGetResourceMetric');
  assert.match(
    condition.message ?? '',
    /unable to compute the replica count: failed to get cpu resource metric/,
  );
  assert.equal(await replicas(), 3);
});
