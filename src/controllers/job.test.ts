import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { event as eventKind } from '../api/kinds/event.ts';
import { type Job, type JobSpec, job as jobKind } from '../api/kinds/job.ts';
import { namespace as namespaceKind } from '../api/kinds/namespace.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { isStatus } from '../base/errors.ts';
import { until } from '../base/until.ts';
import { remainingMs } from './job-ttl.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

function jobOf(name: string, image: string, spec: Partial<JobSpec> = {}): Job {
  const template = { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image }] } };
  return { metadata: { name, namespace: 'default' }, spec: { template, ...spec } };
}

const podsOf = async (name: string) => {
  const labelSelector = `batch.kubernetes.io/job-name=${name}`;
  return (await cluster.client.list(podKind, { namespace: 'default', labelSelector })).items;
};

const finished = (name: string, type: 'Complete' | 'Failed') =>
  until(`${name} ${type}`, async () => {
    const found = await find(cluster.client, jobKind, name);
    const isThere = found?.status?.conditions?.some((each) => each.type === type && each.status === 'True');
    return isThere && found;
  });

test('a job runs its pods to completion, counts them, and lets them go', async () => {
  const made = await cluster.client.create(
    jobKind,
    jobOf('sum', 'exit:0', { completions: 5, parallelism: 2 }),
  );
  assert.equal(made.spec?.selector?.matchLabels?.['batch.kubernetes.io/controller-uid'], made.metadata?.uid);
  assert.equal(made.metadata?.labels?.['job-name'], 'sum');
  const { status } = await finished('sum', 'Complete');
  assert.equal(status?.succeeded, 5);
  assert.deepEqual(
    [status?.active, status?.failed, status?.uncountedTerminatedPods],
    [undefined, undefined, {}],
  );
  const pods = await podsOf('sum');
  assert.equal(pods.length, 5);
  assert.ok(pods.every(({ metadata }) => !metadata?.finalizers?.length));
  await until('the events', async () => {
    const { items } = await cluster.client.list(eventKind, { namespace: 'default' });
    const mine = items.filter(({ involvedObject }) => involvedObject.name === 'sum');
    const created = mine.filter(({ reason }) => reason === 'SuccessfulCreate').length;
    return created === 5 && mine.some(({ message }) => message === 'Job completed');
  });
});

test('a job whose pod fails too often has failed', async () => {
  await cluster.client.create(jobKind, jobOf('bad', 'exit:3', { backoffLimit: 0 }));
  const { status } = await finished('bad', 'Failed');
  assert.equal(status?.failed, 1);
  assert.equal(status?.conditions?.at(-1)?.reason, 'BackoffLimitExceeded');
});

test('an indexed job runs every index', async () => {
  const spec = { completionMode: 'Indexed' as const, completions: 4, parallelism: 4 };
  await cluster.client.create(jobKind, jobOf('shard', 'exit:0', spec));
  const { status } = await finished('shard', 'Complete');
  assert.equal(status?.completedIndexes, '0-3');
  assert.deepEqual((await podsOf('shard')).map(({ spec }) => spec?.hostname).sort(), [
    'shard-0',
    'shard-1',
    'shard-2',
    'shard-3',
  ]);
});

test('a suspended job waits, runs when resumed, and counts nothing when suspended again', async () => {
  const key = { namespace: 'default', name: 'wait' };
  const suspend = (to: boolean) =>
    cluster.client.patch(jobKind, key, { type: 'merge', body: { spec: { suspend: to } } });
  await cluster.client.create(jobKind, jobOf('wait', 'app:1', { suspend: true }));
  const has = (reason: string) => async () =>
    (await find(cluster.client, jobKind, 'wait'))?.status?.conditions?.some((each) => each.reason === reason);
  await until('suspended', has('JobSuspended'));
  assert.equal((await podsOf('wait')).length, 0);
  await suspend(false);
  await until('a pod', async () => (await podsOf('wait')).length === 1);
  await until('resumed', has('JobResumed'));
  await suspend(true);
  await until('no pod', async () => (await podsOf('wait')).length === 0);
  await until('suspended again', has('JobSuspended'));
  const { status } = (await find(cluster.client, jobKind, 'wait'))!;
  assert.deepEqual([status?.failed, status?.active], [undefined, undefined]);
});

test('a deleted job takes its pods along although they have a finalizer', async () => {
  for (const propagationPolicy of ['Background', 'Foreground'] as const) {
    await cluster.client.create(jobKind, jobOf('gone', 'app:1', { parallelism: 2 }));
    await until('two pods', async () => (await podsOf('gone')).length === 2);
    await cluster.client.delete(jobKind, { namespace: 'default', name: 'gone' }, { propagationPolicy });
    await until('nothing left', async () => (await podsOf('gone')).length === 0);
    await until('no job', async () => !(await find(cluster.client, jobKind, 'gone')));
  }
});

test('a namespace that goes takes jobs and their pods along', async () => {
  await cluster.client.create(namespaceKind, { metadata: { name: 'leaving' } });
  const gone = jobOf('gone', 'app:1', { parallelism: 2 });
  await cluster.client.create(jobKind, { ...gone, metadata: { name: 'gone', namespace: 'leaving' } });
  const pods = async () => (await cluster.client.list(podKind, { namespace: 'leaving' })).items;
  await until('two pods', async () => (await pods()).length === 2);
  await cluster.client.delete(namespaceKind, { name: 'leaving' });
  await until('no namespace', async () => !(await find(cluster.client, namespaceKind, 'leaving')));
  assert.equal((await pods()).length, 0);
});

test('orphaned pods lose the finalizer and stay', async () => {
  await cluster.client.create(jobKind, jobOf('free', 'app:1'));
  await until('a pod', async () => (await podsOf('free')).length === 1);
  await cluster.client.delete(
    jobKind,
    { namespace: 'default', name: 'free' },
    { propagationPolicy: 'Orphan' },
  );
  await until('a free pod', async () => {
    const [pod] = await podsOf('free');
    assert.ok(pod, 'the pod stays');
    return !pod.metadata?.finalizers?.length && !pod.metadata?.ownerReferences?.length;
  });
});

test('a finished job goes when its time is over', async () => {
  await cluster.client.create(jobKind, jobOf('short', 'exit:0', { ttlSecondsAfterFinished: 0 }));
  await until('no job', async () => !(await find(cluster.client, jobKind, 'short')));
  await until('no pods', async () => (await podsOf('short')).length === 0);
  const finishedAt = '2026-01-01T00:00:00Z';
  const done = {
    ...jobOf('x', 'y', { ttlSecondsAfterFinished: 100 }),
    status: { conditions: [{ type: 'Complete', status: 'True' as const, lastTransitionTime: finishedAt }] },
  };
  const atMs = (ms: number) => remainingMs(done, Date.parse(finishedAt) + ms);
  assert.deepEqual([atMs(0), atMs(99_000), atMs(200_000)], [100_000, 1000, 0]);
  assert.equal(remainingMs({ ...done, status: {} }, 0), undefined);
});

test('what is wrong with a job is said in the words that Kubernetes uses', async () => {
  const refused = async (job: Job, pattern: RegExp) => {
    await assert.rejects(cluster.client.create(jobKind, job), (error: Error) => {
      assert.ok(isStatus(error, 'Invalid'), String(error));
      assert.match(error.message, pattern);
      return true;
    });
  };
  const always = jobOf('a', 'b');
  always.spec!.template.spec!.restartPolicy = 'Always';
  await refused(
    always,
    /spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"/,
  );
  await refused(
    jobOf('a', 'b', { completionMode: 'Indexed', parallelism: 2 }),
    /spec.completions: Required value: when completion mode is Indexed/,
  );
  await refused(
    jobOf('a', 'b', { selector: { matchLabels: { app: 'x' } } }),
    /`selector` does not match template `labels`/,
  );
  await refused(
    jobOf('a', 'b', { parallelism: -1 }),
    /spec.parallelism: Invalid value: -1: must be greater than or/,
  );
  await refused(
    jobOf('a', 'b', { backoffLimitPerIndex: 1 }),
    /spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode/,
  );
  await cluster.client.create(jobKind, jobOf('fixed', 'app:1'));
  const change = (spec: object) =>
    cluster.client.patch(jobKind, { namespace: 'default', name: 'fixed' }, { type: 'merge', body: { spec } });
  await assert.rejects(change({ completions: 3 }), /spec.completions: Invalid value: 3: field is immutable/);
  await assert.rejects(
    change({ template: { spec: { hostname: 'x' } } }),
    /spec.template: .*field is immutable/s,
  );
  await change({ parallelism: 2, backoffLimit: 1 });
});
