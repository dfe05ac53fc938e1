import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, CronJobSpec, CronJobStatus } from '../../api/kinds/cronJob.ts';
import type { Job } from '../../api/kinds/job.ts';
import { plan, withStarted } from './plan.ts';

const created = '2026-01-01T00:00:30Z';
const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);

function cron(spec: Partial<CronJobSpec> = {}, status: CronJobStatus = {}): CronJob {
  const template = {
    spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'app:1' }] },
  };
  return {
    metadata: { name: 'tick', namespace: 'default', uid: 'tick', creationTimestamp: created },
    spec: { schedule: '*/10 * * * *', jobTemplate: { spec: { template } }, ...spec },
    status,
  };
}

function jobOf(name: string, options: { end?: 'Complete' | 'Failed'; startTime?: string } = {}): Job {
  const { end, startTime = created } = options;
  const conditions = end ? [{ type: end, status: 'True' as const }] : [];
  const completionTime = end === 'Complete' ? startTime : undefined;
  const status = { startTime, conditions, ...(completionTime && { completionTime }) };
  return { metadata: { name, namespace: 'default', uid: name }, status };
}

const reference = (name: string) => ({ name, uid: name });

function planAt(time: string, cronJob: CronJob, jobs: Job[] = []) {
  const planned = plan({ cronJob, jobs, nowMs: at(time), timeZone: 'UTC' });
  return {
    starts: planned.start?.job.metadata?.name,
    reasons: planned.events.map(({ reason }) => reason),
    removed: planned.remove.map(({ metadata }) => metadata?.name),
    waitMs: planned.lookAgainInMs,
    active: planned.status.active?.map(({ name }) => name) ?? [],
    status: planned.status,
  };
}

const nameAt = (time: string) => `tick-${at(time) / 60_000}`;

test('a schedule that never comes is told as invalid', () => {
  const { starts, reasons, waitMs } = planAt('00:10:00', cron({ schedule: '0 0 31 2 *' }));
  assert.deepEqual([starts, reasons, waitMs], [undefined, ['InvalidSchedule'], undefined]);
});

test('a job is due at each time of the schedule, once, and the next one is awaited', () => {
  assert.deepEqual([planAt('00:09:59', cron()).starts, planAt('00:09:59', cron()).waitMs], [undefined, 1000]);
  const due = planAt('00:10:00', cron());
  assert.deepEqual([due.starts, due.waitMs], [nameAt('00:10:00'), 600_000]);
  const job = { ...jobOf(due.starts!) };
  const status = withStarted(due.status, job, at('00:10:00'));
  assert.equal(status.lastScheduleTime, '2026-01-01T00:10:00Z');
  assert.equal(planAt('00:10:05', cron({}, status), [job]).starts, undefined);
  assert.equal(planAt('00:20:01', cron({}, status), [job]).starts, nameAt('00:20:00'));
});

test('the job says when it was due, in the time zone of the schedule', () => {
  const planned = plan({
    cronJob: cron({ timeZone: 'Europe/Berlin', schedule: '10 1 * * *' }),
    jobs: [],
    nowMs: at('00:10:00'),
    timeZone: 'UTC',
  });
  const { annotations, ownerReferences } = planned.start!.job.metadata!;
  assert.equal(annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'], '2026-01-01T01:10:00+01:00');
  assert.deepEqual([ownerReferences?.[0]?.kind, ownerReferences?.[0]?.controller], ['CronJob', true]);
});

test('of several missed starts only the latest is made up for, and more than 100 are told', () => {
  assert.deepEqual(planAt('01:35:00', cron()).starts, nameAt('01:30:00'));
  assert.deepEqual(planAt('01:35:00', cron()).reasons, []);
  const often = cron({ schedule: '* * * * *' });
  assert.deepEqual(planAt('01:40:30', often).reasons, []);
  assert.deepEqual(planAt('01:41:30', often).reasons, ['TooManyMissedTimes']);
  assert.equal(planAt('01:41:30', often).starts, nameAt('01:41:00'));
  const bounded = cron({ schedule: '* * * * *', startingDeadlineSeconds: 200 });
  assert.deepEqual(planAt('23:41:30', bounded).reasons, []);
});

test('a start that is later than its deadline is missed', () => {
  const strict = cron({ startingDeadlineSeconds: 30 });
  assert.equal(planAt('00:10:30', strict).starts, nameAt('00:10:00'));
  assert.deepEqual(planAt('00:10:31', strict).starts, undefined);
  assert.deepEqual(planAt('00:10:31', strict).reasons, ['MissSchedule']);
});

const running = { active: [reference('a')], lastScheduleTime: '2026-01-01T00:10:00Z' };
const whileRunning = (concurrencyPolicy: 'Allow' | 'Forbid' | 'Replace') =>
  planAt('00:20:00', cron({ concurrencyPolicy }, running), [jobOf('a')]);

test('a job is started beside one that still runs, where that is allowed', () => {
  const { starts, active } = whileRunning('Allow');
  assert.deepEqual([starts, active], [nameAt('00:20:00'), ['a']]);
});

test('no job is started while one still runs, where that is forbidden, but when that has ended', () => {
  const { starts, reasons } = whileRunning('Forbid');
  assert.deepEqual([starts, reasons], [undefined, ['JobAlreadyActive']]);
  const later = cron({ concurrencyPolicy: 'Forbid' }, running);
  assert.equal(planAt('00:21:00', later, [jobOf('a', { end: 'Complete' })]).starts, nameAt('00:20:00'));
});

test('a job that still runs is replaced, where that is asked for', () => {
  const { starts, removed, active } = whileRunning('Replace');
  assert.deepEqual([starts, removed, active], [nameAt('00:20:00'), ['a'], []]);
});

test('finished jobs leave the list of active ones, and the last success is kept', () => {
  const status = { active: [reference('a'), reference('b'), reference('c'), reference('d')] };
  const jobs = [
    jobOf('a', { end: 'Complete', startTime: '2026-01-01T00:05:00Z' }),
    jobOf('b', { end: 'Failed' }),
    jobOf('c'),
    jobOf('e'),
  ];
  const planned = planAt('00:06:00', cron({}, status), jobs);
  assert.deepEqual(planned.active, ['c']);
  assert.deepEqual(planned.reasons, ['SawCompletedJob', 'SawCompletedJob', 'UnexpectedJob', 'MissingJob']);
  assert.equal(planned.status.lastSuccessfulTime, '2026-01-01T00:05:00Z');
});

test('of finished jobs the newest are kept', () => {
  const ended = (end: 'Complete' | 'Failed', count: number) =>
    Array.from({ length: count }, (_, n) =>
      jobOf(`${end}-${n}`, { end, startTime: `2026-01-01T00:0${n}:00Z` }),
    );
  const jobs = [...ended('Complete', 5), ...ended('Failed', 2)];
  assert.deepEqual(planAt('00:06:00', cron(), jobs).removed, ['Complete-0', 'Complete-1', 'Failed-0']);
  const none = cron({ successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 0, suspend: true });
  assert.equal(planAt('00:06:00', none, jobs).removed.length, 7);
});

test('a suspended CronJob starts nothing', () => {
  const planned = planAt('00:30:00', cron({ suspend: true }));
  assert.deepEqual([planned.starts, planned.waitMs], [undefined, undefined]);
});

test('a schedule or a time zone that is not understood is told and starts nothing', () => {
  assert.deepEqual(planAt('00:30:00', cron({ schedule: 'often' })).reasons, ['UnparseableSchedule']);
  assert.deepEqual(planAt('00:30:00', cron({ timeZone: 'Nowhere/Land' })).reasons, ['UnknownTimeZone']);
});
