import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type CronJob, cronJob as cronJobKind } from '../api/kinds/cronJob.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { job as jobKind } from '../api/kinds/job.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

function cron(name: string, schedule: string, spec: Partial<CronJob['spec']> = {}): CronJob {
  const template = {
    spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'exit:0' }] },
  };
  return {
    metadata: { name, namespace: 'default' },
    spec: { schedule, jobTemplate: { spec: { template, completions: 1 } }, ...spec },
  };
}

test('a CronJob starts jobs, sees them complete, keeps few of them, and takes them along when it goes', async () => {
  await cluster.client.create(cronJobKind, cron('tick', '@every 1s', { successfulJobsHistoryLimit: 1 }));
  await until('a success', async () => {
    const found = await find(cluster.client, cronJobKind, 'tick');
    return found?.status?.lastSuccessfulTime !== undefined && found.status.lastScheduleTime !== undefined;
  });
  const { items } = await cluster.client.list(jobKind, { namespace: 'default' });
  assert.ok(items.every(({ metadata }) => /^tick-\d+$/.test(metadata?.name ?? '')));
  await until('the events', async () => {
    const events = await cluster.client.list(eventKind, { namespace: 'default' });
    const mine = events.items.filter(({ involvedObject }) => involvedObject.name === 'tick');
    return (
      mine.some(({ message }) => /^Created job tick-\d+$/.test(message ?? '')) &&
      mine.some(({ message }) => /^Saw completed job: tick-\d+, condition: Complete$/.test(message ?? '')) &&
      !mine.some(({ reason }) => reason === 'UnexpectedJob')
    );
  });
  await cluster.client.delete(cronJobKind, { namespace: 'default', name: 'tick' });
  await until('no jobs', async () => {
    const left = await cluster.client.list(jobKind, { namespace: 'default' });
    return left.items.length === 0;
  });
});

test('what is wrong with a CronJob is said in the words that Kubernetes uses, and its template may change', async () => {
  const cases: [CronJob, RegExp][] = [
    [
      cron('a', 'a b c'),
      /spec.schedule: Invalid value: "a b c": expected exactly 5 fields, found 3: \[a b c\]/,
    ],
    [cron('a', 'TZ=UTC * * * * *'), /cannot use TZ or CRON_TZ in schedule, use timeZone field instead/],
    [
      cron('a', '* * * * *', { timeZone: 'Nowhere/Land' }),
      /spec.timeZone: .*unknown time zone Nowhere\/Land/,
    ],
    [cron('a'.repeat(53), '* * * * *'), /metadata.name: .*must be no more than 52 characters/],
  ];
  for (const [object, pattern] of cases)
    await assert.rejects(cluster.client.create(cronJobKind, object), pattern);
  await cluster.client.create(cronJobKind, cron('yearly', '@yearly', { suspend: true }));
  const body = { spec: { jobTemplate: { spec: { completionMode: 'Indexed', completions: 2 } } } };
  const key = { namespace: 'default', name: 'yearly' };
  const changed = await cluster.client.patch(cronJobKind, key, { type: 'merge', body });
  assert.equal(changed.spec?.jobTemplate.spec?.completionMode, 'Indexed');
  assert.equal(changed.spec?.jobTemplate.spec?.backoffLimit, undefined);
});
