import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { job as jobKind } from '../api/kinds/job.ts';
import { persistentVolumeClaim as claimKind } from '../api/kinds/persistentVolumeClaim.ts';
import { type TrainingJob, trainingJob as trainingJobKind } from '../api/kinds/trainingJob.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

const spec: TrainingJob['spec'] = {
  dataset: { generated: {} },
  model: { module: { image: 'net:1' } },
  loss: { name: 'sparseCategoricalCrossentropy' },
  suspend: true,
};
const make = (name: string, more: Partial<TrainingJob['spec']> = {}) =>
  cluster.client.create(trainingJobKind, {
    metadata: { name, namespace: 'default' },
    spec: { ...spec, ...more },
  });
const conditionOf = async (name: string) =>
  (await find(cluster.client, trainingJobKind, name))?.status?.conditions?.[0];

test('a training gets a Job and a claim, and only what may change changes in the Job', async () => {
  await make('mine');
  const job = await until('the Job', () => find(cluster.client, jobKind, 'mine'));
  assert.equal(job.spec?.suspend, true);
  assert.ok(await find(cluster.client, claimKind, 'mine-checkpoints'));
  await until('the condition', async () => (await conditionOf('mine'))?.type === 'Suspended');
  const at = { namespace: 'default', name: 'mine' };
  const body = { spec: { backoffLimit: 1, activeDeadlineSeconds: 60 } };
  await cluster.client.patch(trainingJobKind, at, { type: 'merge', body });
  await until('the change', async () => {
    const { spec: changed } = (await find(cluster.client, jobKind, 'mine')) ?? {};
    return changed?.backoffLimit === 1 && changed.activeDeadlineSeconds === 60;
  });
});

test("somebody else's Job of the same name is left alone, and the training says so", async () => {
  const containers = [{ name: 'a', image: 'exit:0' }];
  await cluster.client.create(jobKind, {
    metadata: { name: 'theirs', namespace: 'default' },
    spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers } } },
  });
  await make('theirs');
  const condition = await until('the condition', () => conditionOf('theirs'));
  assert.deepEqual([condition.type, condition.reason], ['Failed', 'InvalidJob']);
  assert.match(condition.message ?? '', /there is a Job "theirs" already that belongs to someone else/);
});

test('a claim of yours is used, and none is made', async () => {
  await make('own', { checkpoint: { claimName: 'shared' } });
  const job = await until('the Job', () => find(cluster.client, jobKind, 'own'));
  assert.equal(job.spec?.template.spec?.volumes?.[0]?.persistentVolumeClaim?.claimName, 'shared');
  assert.equal(await find(cluster.client, claimKind, 'own-checkpoints'), undefined);
});
