import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { customResourceDefinition as definitionKind } from '../api/kinds/customResourceDefinition.ts';
import { deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { horizontalPodAutoscaler as autoscalerKind } from '../api/kinds/horizontalPodAutoscaler.ts';
import { kinds } from '../api/kinds/index.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { cronTab, cronTabDefinition, cronTabs } from '../apiserver/custom-resources/test-definition.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { FakeClock, toTime } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import { createClient } from '../client/create-client.ts';
import type { PodMetric } from './horizontal-pod-autoscaler/replicas.ts';
import { run } from './horizontal-pod-autoscaler.ts';
import { createInformers } from './informers.ts';
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
    /unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API/,
  );
  assert.equal(await replicas(), 3);
});

const scaleSubresource = {
  scale: {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.labelSelector',
  },
  status: {},
};

test('an autoscaler scales a custom resource whose plural nobody could guess', async () => {
  const { client } = cluster;
  const names = { plural: 'crontabbery', kind: 'CronTab' };
  const definition = cronTabDefinition({ spec: { names }, version: { subresources: scaleSubresource } });
  const metadata = { name: 'crontabbery.stable.example.com' };
  await client.create(definitionKind, { ...definition, metadata });
  const tabs = { ...cronTabs(), plural: 'crontabbery' };
  await until('the kind is served', () =>
    client.create(tabs, cronTab('tab', { replicas: 9 })).then(
      () => true,
      () => false,
    ),
  );
  const target = { apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'tab' };
  await client.create(autoscalerKind, {
    metadata: { name: 'tab', namespace: 'default' },
    spec: { scaleTargetRef: target, maxReplicas: 4 },
  });
  await until('four', async () => (await find(client, tabs, 'tab'))?.spec.replicas === 4);
  await client.create(autoscalerKind, {
    metadata: { name: 'lost', namespace: 'default' },
    spec: { scaleTargetRef: { ...target, kind: 'Nothing' }, maxReplicas: 4 },
  });
  const condition = await until('it says so', async () =>
    (await find(client, autoscalerKind, 'lost'))?.status?.conditions?.find(
      ({ type }) => type === 'AbleToScale',
    ),
  );
  assert.deepEqual(
    [condition.status, condition.reason, condition.message],
    [
      'False',
      'FailedGetScale',
      'the HPA controller was unable to get the target\'s current scale: no matches for kind "Nothing" in group "stable.example.com"',
    ],
  );
});

test('after a restart nothing shrinks before the window has passed', async (t) => {
  const { client, clock, metrics } = await idleWeb(t);
  const informers = createInformers({ client, clock, log: silentLog, signal: t.signal });
  const recorder = () => ({ record() {}, flush: async () => {}, stop() {} });
  const running = run({ client, clock, log: silentLog, informers, recorder }, kinds, { metrics });
  t.after(() => running.stop());
  const replicas = async () => (await find(client, deploymentKind, 'web'))?.spec?.replicas;
  await until('it would shrink', async () => {
    const { status } = (await find(client, autoscalerKind, 'web')) ?? {};
    return status?.conditions?.some(({ reason }) => reason === 'ScaleDownStabilized');
  });
  assert.equal(await replicas(), 3);
  const startMs = clock.nowMs();
  await until('it shrinks', async () => {
    clock.advance(15_000);
    return (await replicas()) === 1;
  });
  assert.ok(clock.nowMs() - startMs >= 300_000, `after ${clock.nowMs() - startMs} ms`);
});

/** Three pods with next to nothing to do, and an autoscaler, that nobody follows yet. */
async function idleWeb(t: TestContext) {
  const api = await startTestServer({ listens: false });
  t.after(() => api.close());
  const client = createClient(api.server.transport());
  const clock = new FakeClock(Date.now() + 3_600_000);
  const labels = { app: 'web' };
  const resources = { requests: { cpu: '1' } };
  const template = {
    metadata: { labels },
    spec: { containers: [{ name: 'main', image: 'app:1', resources }] },
  };
  const at = { namespace: 'default', name: 'web' };
  const spec = { replicas: 3, selector: { matchLabels: labels }, template };
  await client.create(deploymentKind, { metadata: at, spec });
  const values = new Map<string, PodMetric>();
  for (const name of ['a', 'b', 'c']) {
    await client.create(podKind, { metadata: { name, namespace: 'default', labels }, spec: template.spec });
    const lastTransitionTime = toTime(Date.now());
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime } as const];
    const status = { phase: 'Running', startTime: lastTransitionTime, conditions } as const;
    const patch = { type: 'merge', body: { status } } as const;
    await client.patch(podKind, { namespace: 'default', name }, patch, { subresource: 'status' });
    values.set(name, { value: 0.01, atMs: clock.nowMs(), windowMs: 15_000 });
  }
  const patch = { type: 'merge', body: { status: { replicas: 3 } } } as const;
  await client.patch(deploymentKind, at, patch, { subresource: 'status' });
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  await client.create(autoscalerKind, { metadata: at, spec: { scaleTargetRef, maxReplicas: 5 } });
  return { client, clock, metrics: { resource: async () => values } };
}
