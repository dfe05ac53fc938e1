import { type CronJob, cronJob as cronJobKind } from '../api/kinds/cronJob.ts';
import { type Job, job as jobKind } from '../api/kinds/job.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { splitKey } from '../client/cache.ts';
import type { EventSubject } from '../client/events.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { plan, withStarted } from './cronjob/plan.ts';
import { controllerOf, isControlledBy, keyOfMeta } from './owner.ts';
import { writeStatus } from './write-status.ts';

/** Longer waits are cut, so that a clock that was set is noticed. */
const lookAgainMaxMs = 10 * 60_000;

/** Starts the jobs of CronJobs when they are due. */
export function run(
  context: Context,
  { timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone }: { timeZone?: string } = {},
): Running {
  const { client, clock, informers } = context;
  const [cronJobs, jobs] = [informers.of(cronJobKind), informers.of(jobKind)];
  const events = context.recorder('cronjob-controller');

  async function reconcile(key: string): Promise<number | undefined> {
    if (!cronJobs.get(key)) return undefined;
    // The live one: what our cache has may not say yet which jobs we have started.
    const cronJob = await ifThere(client.get(cronJobKind, splitKey(key)));
    if (!cronJob) return undefined;
    const subject = subjectOf(cronJobKind, cronJob);
    const owned = await jobsOf(cronJob);
    const planned = plan({ cronJob, jobs: owned, nowMs: clock.nowMs(), timeZone });
    for (const { type, reason, message } of planned.events) events.record(subject, type, reason, message);
    for (const job of planned.remove) await remove(subject, job);
    let { status } = planned;
    if (planned.start) {
      const started = await start(subject, cronJob, planned.start.job);
      if (started) status = withStarted(status, started, planned.start.scheduledMs);
    }
    await writeStatus(client, cronJobKind, cronJob, status);
    return planned.lookAgainInMs && Math.min(planned.lookAgainInMs, lookAgainMaxMs);
  }

  /** Its jobs, those included that the cache does not have yet. */
  async function jobsOf(cronJob: CronJob): Promise<Job[]> {
    const { uid = '', namespace } = cronJob.metadata ?? {};
    const owned = jobs.byIndex('owner', uid).filter((job) => isControlledBy(job, cronJob));
    const known = new Set(owned.map(({ metadata }) => metadata?.uid));
    for (const { uid, name = '' } of cronJob.status?.active ?? []) {
      if (known.has(uid)) continue;
      const job = await ifThere(client.get(jobKind, { namespace, name }));
      if (job && job.metadata?.uid === uid) owned.push(job);
    }
    return owned;
  }

  async function start(subject: EventSubject, cronJob: CronJob, job: Job): Promise<Job | undefined> {
    try {
      const made = await client.create(jobKind, job);
      events.record(subject, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata?.name}`);
      return made;
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) {
        const present = await ifThere(client.get(jobKind, keyOfMeta(job.metadata ?? {})));
        // We made it and died before we could write it down.
        if (present && isControlledBy(present, cronJob)) return present;
      }
      events.record(subject, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
      throw error;
    }
  }

  async function remove(subject: EventSubject, job: Job): Promise<void> {
    const { uid = '', name } = job.metadata ?? {};
    const options = { propagationPolicy: 'Background', preconditions: { uid } } as const;
    await ifThere(client.delete(jobKind, keyOfMeta(job.metadata ?? {}), options));
    events.record(subject, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }

  return runController(context, {
    name: 'cronjob',
    sources: [
      source(cronJobKind, ({ type, key }) => (type === 'deleted' ? [] : [key])),
      source(jobKind, ({ object }) => {
        const owner = controllerOf(object);
        return owner?.kind === 'CronJob' ? [`${object.metadata?.namespace}/${owner.name}`] : [];
      }),
    ],
    reconcile,
  });
}

async function ifThere<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}
