import { type Job, job as jobKind } from '../api/kinds/job.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';
import { finishedAs } from './job/plan.ts';
import { keyOfMeta } from './owner.ts';

/** How long a finished Job is still kept, in ms; undefined when it is not finished or kept for ever. */
export function remainingMs(job: Job, nowMs: number): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec ?? {};
  const finished = finishedAs(job);
  if (ttlSecondsAfterFinished === undefined || !finished || job.metadata?.deletionTimestamp) return undefined;
  const finishedMs = Date.parse(finished.lastTransitionTime ?? '') || nowMs;
  return Math.max(0, finishedMs + ttlSecondsAfterFinished * 1000 - nowMs);
}

/** Deletes Jobs some time after they have finished, with their pods. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const jobs = informers.of(jobKind);
  return runController(context, {
    name: 'job-ttl',
    sources: [source(jobKind, ({ type, key }) => (type === 'deleted' ? [] : [key]))],
    async reconcile(key) {
      const job = jobs.get(key);
      const waitMs = job && remainingMs(job, clock.nowMs());
      if (!job || waitMs === undefined || waitMs > 0) return waitMs;
      const { uid = '', resourceVersion = '' } = job.metadata ?? {};
      const preconditions = { uid, resourceVersion };
      try {
        await client.delete(jobKind, keyOfMeta(job.metadata ?? {}), {
          propagationPolicy: 'Foreground',
          preconditions,
        });
      } catch (error) {
        // Changed or gone meanwhile: the watch brings it back.
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
      }
      return undefined;
    },
  });
}
