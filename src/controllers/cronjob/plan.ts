import { type CronSchedule, parseCronSchedule } from '../../api/cron-schedule.ts';
import { type CronJob, type CronJobStatus, cronJob as cronJobKind } from '../../api/kinds/cronJob.ts';
import { type Job, job as jobKind } from '../../api/kinds/job.ts';
import { apiVersionOf } from '../../api/object.ts';
import type { ObjectReference } from '../../api/parts/meta.ts';
import { isTimeZone, toZonedTime } from '../../api/time-zone.ts';
import { toTime } from '../../base/clock.ts';
import { finishedAs } from '../job/plan.ts';
import { controllerReference } from '../owner.ts';

/** So many missed starts are worth a warning: the clock was wrong, or nobody looked for long. */
export const missedStartsMax = 100;
const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

export interface CronJobState {
  cronJob: CronJob;
  /** Those that it controls. */
  jobs: readonly Job[];
  nowMs: number;
  /** Used where the CronJob names none. */
  timeZone: string;
}

export interface CronJobPlan {
  events: { type: 'Normal' | 'Warning'; reason: string; message: string }[];
  remove: Job[];
  /** The job that is due. When it is made, `status` is to say so. */
  start: { job: Job; scheduledMs: number } | undefined;
  status: CronJobStatus;
  lookAgainInMs: number | undefined;
}

/** What is due, what has ended, and what is too old. */
export function plan(state: CronJobState): CronJobPlan {
  const { cronJob, jobs } = state;
  const events: CronJobPlan['events'] = [];
  const planned: CronJobPlan = {
    events,
    remove: surplusHistory(cronJob, jobs),
    start: undefined,
    status: followJobs(cronJob, jobs, (event) => events.push(event)),
    lookAgainInMs: undefined,
  };
  const schedule = scheduleOf(state, events);
  if (!schedule || cronJob.spec?.suspend || cronJob.metadata?.deletionTimestamp) return planned;
  const next = schedule.next(state.nowMs);
  if (next === undefined) {
    // The 31st of February: kube-controller-manager sees two equal times and says so.
    const why = 'time difference between two schedules is less than 1 second';
    const message = `invalid schedule: ${cronJob.spec?.schedule} : ${why}`;
    events.push({ type: 'Warning', reason: 'InvalidSchedule', message });
    return planned;
  }
  startWhatIsDue(state, schedule, planned);
  planned.lookAgainInMs = next - state.nowMs;
  return planned;
}

function scheduleOf(
  { cronJob: { spec }, timeZone }: CronJobState,
  events: CronJobPlan['events'],
): CronSchedule | undefined {
  const zone = spec?.timeZone ?? timeZone;
  if (!isTimeZone(zone)) {
    events.push({
      type: 'Warning',
      reason: 'UnknownTimeZone',
      message: `invalid timeZone: "${zone}": unknown time zone ${zone}`,
    });
    return undefined;
  }
  try {
    return parseCronSchedule(spec?.schedule ?? '', zone);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `unparseable schedule: "${spec?.schedule}" : ${error.message}`;
    events.push({ type: 'Warning', reason: 'UnparseableSchedule', message });
    return undefined;
  }
}

/** The status after what became of the jobs. */
function followJobs(
  { status = {} }: CronJob,
  jobs: readonly Job[],
  tell: (event: CronJobPlan['events'][number]) => void,
): CronJobStatus {
  const byUid = new Map(jobs.map((job) => [job.metadata?.uid, job]));
  const listed = new Set((status.active ?? []).map(({ uid }) => uid));
  let { lastSuccessfulTime } = status;
  for (const job of jobs) {
    const finished = finishedAs(job);
    const isListed = listed.has(job.metadata?.uid ?? '');
    const name = job.metadata?.name;
    if (isListed && finished) {
      const message = `Saw completed job: ${name}, condition: ${finished.type}`;
      tell({ type: 'Normal', reason: 'SawCompletedJob', message });
    } else if (!isListed && !finished) {
      const message = `Saw a job that the controller did not create or forgot: ${name}`;
      tell({ type: 'Warning', reason: 'UnexpectedJob', message });
    }
    const { completionTime } = job.status ?? {};
    if (finished?.type === 'Complete' && completionTime && completionTime > (lastSuccessfulTime ?? '')) {
      lastSuccessfulTime = completionTime;
    }
  }
  const active = (status.active ?? []).filter(({ uid, name }) => {
    const job = byUid.get(uid);
    if (!job) tell({ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name}` });
    return job && !finishedAs(job);
  });
  return withActive({ ...status, ...(lastSuccessfulTime && { lastSuccessfulTime }) }, active);
}

function withActive(status: CronJobStatus, active: ObjectReference[]): CronJobStatus {
  const { active: _, ...rest } = status;
  return active.length > 0 ? { ...rest, active } : rest;
}

function startWhatIsDue(state: CronJobState, schedule: CronSchedule, planned: CronJobPlan): void {
  const { cronJob, jobs, nowMs } = state;
  const { spec, metadata, status } = cronJob;
  const deadlineMs =
    spec?.startingDeadlineSeconds === undefined ? undefined : spec.startingDeadlineSeconds * 1000;
  const lastMs = Date.parse(status?.lastScheduleTime ?? metadata?.creationTimestamp ?? '') || nowMs;
  // A short deadline must not hide what it makes us miss: that is told.
  const scheduledMs = schedule.latest(lastMs, nowMs);
  if (scheduledMs === undefined) return;
  const sinceMs = deadlineMs === undefined ? lastMs : Math.max(lastMs, nowMs - deadlineMs);
  if (hasMissedTooMany(schedule, sinceMs, nowMs)) {
    // kube-controller-manager warns and starts the latest, although its documentation says that it starts none.
    const message =
      'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    planned.events.push({ type: 'Warning', reason: 'TooManyMissedTimes', message });
  }
  if (deadlineMs !== undefined && scheduledMs + deadlineMs < nowMs) {
    const at = new Date(scheduledMs).toUTCString().replace('GMT', '+0000');
    const message = `Missed scheduled time to start a job: ${at}`;
    planned.events.push({ type: 'Warning', reason: 'MissSchedule', message });
    return;
  }
  const running = jobs.filter((job) => planned.status.active?.some(({ uid }) => uid === job.metadata?.uid));
  if (spec?.concurrencyPolicy === 'Forbid' && running.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    planned.events.push({ type: 'Normal', reason: 'JobAlreadyActive', message });
    return;
  }
  if (spec?.concurrencyPolicy === 'Replace') {
    planned.remove.push(...running);
    planned.status = withActive(planned.status, []);
  }
  planned.start = { job: jobOf(cronJob, scheduledMs), scheduledMs };
}

function hasMissedTooMany(schedule: CronSchedule, fromMs: number, nowMs: number): boolean {
  let at = schedule.next(fromMs);
  for (let missed = 1; at !== undefined && at <= nowMs; missed++) {
    if (missed > missedStartsMax) return true;
    at = schedule.next(at);
  }
  return false;
}

/** The job of one scheduled time; its name is that time, so that it can be made only once. */
export function jobOf(cronJob: CronJob, scheduledMs: number): Job {
  const { metadata, spec } = cronJob;
  const { jobTemplate, timeZone } = spec!;
  const { labels, annotations } = jobTemplate.metadata ?? {};
  return {
    metadata: {
      name: `${metadata?.name}-${Math.floor(scheduledMs / 60_000)}`,
      namespace: metadata?.namespace ?? '',
      ...(labels && { labels }),
      annotations: { ...annotations, [scheduledAnnotation]: toZonedTime(scheduledMs, timeZone ?? 'UTC') },
      ownerReferences: [controllerReference(cronJobKind, cronJob)],
    },
    ...(jobTemplate.spec && { spec: jobTemplate.spec }),
  };
}

/** The status once `job` has been made. */
export function withStarted(status: CronJobStatus, job: Job, scheduledMs: number): CronJobStatus {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = job.metadata ?? {};
  const reference = {
    apiVersion: apiVersionOf(jobKind),
    kind: jobKind.kind,
    name,
    namespace,
    uid,
    resourceVersion,
  };
  const others = (status.active ?? []).filter((each) => each.uid !== uid);
  const active = finishedAs(job) ? others : [...others, reference];
  return { ...withActive(status, active), lastScheduleTime: toTime(scheduledMs) };
}

/** Finished jobs beyond the limits, oldest start first. */
function surplusHistory({ spec, metadata }: CronJob, jobs: readonly Job[]): Job[] {
  if (metadata?.deletionTimestamp) return [];
  const startedOf = ({ status }: Job) => status?.startTime ?? '';
  const surplus = (type: string, limit: number) => {
    const finished = jobs.filter((job) => finishedAs(job)?.type === type && !job.metadata?.deletionTimestamp);
    const sorted = finished.sort(
      (a, b) =>
        startedOf(a).localeCompare(startedOf(b)) || a.metadata!.name!.localeCompare(b.metadata!.name!),
    );
    return sorted.slice(0, Math.max(0, finished.length - limit));
  };
  return [
    ...surplus('Complete', spec?.successfulJobsHistoryLimit ?? 3),
    ...surplus('Failed', spec?.failedJobsHistoryLimit ?? 1),
  ];
}
