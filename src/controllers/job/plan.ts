import type { Job, JobCondition, JobStatus } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import { rankForDeletion } from '../deletion-rank.ts';
import { isPodActive, isPodReady } from '../pods.ts';
import { creationBackoffMs } from './backoff.ts';
import { type Counts, countFields, countPods } from './count.ts';
import { matchFailurePolicy } from './failure-policy.ts';
import { indexOf, isTerminating, isTracked, type NewPod } from './pod.ts';
import { judge, remainingDeadlineMs, type Verdict } from './verdict.ts';

/** Pods created or deleted in one go; the rest follows when these are seen. */
export const burstMax = 500;
/** UIDs that wait in the status to be counted; the other ended pods wait for the next round. */
export const uncountedMax = 500;

export interface JobState {
  job: Job;
  /** All that it controls, ended ones and those being deleted included. */
  pods: readonly Pod[];
  nowMs: number;
}

export interface JobPlan {
  create: NewPod[];
  remove: Pod[];
  /** Whether what is removed does not count as failed. */
  isForgiven: boolean;
  /** As it is when creating and removing succeed. */
  status: JobStatus;
  /** Told once the status is written. */
  events: { type: 'Normal' | 'Warning'; reason: string; message: string }[];
  /** Lose their finalizer once the status is written. */
  release: Pod[];
  lookAgainInMs: number | undefined;
}

/** One step towards the Job's end; the changes that it causes lead to the next. */
export function plan({ job, pods, nowMs }: JobState): JobPlan {
  const { status = {}, spec } = job;
  const nothing = { create: [], remove: [], isForgiven: false, events: [], lookAgainInMs: undefined };
  if (finishedAs(job)) return { ...nothing, status, release: pods.filter(isTracked) };

  const isSuspended = spec?.suspend === true;
  const wasEnding = has(status, 'FailureTarget') || has(status, 'SuccessCriteriaMet');
  const all = countPods(job, pods, { isEnding: wasEnding });
  const counts = withinBounds(all);
  const active = pods.filter(isPodActive);
  const { conditions, startTime, events } = suspension(job, nowMs);
  const begun: Job = { ...job, status: { ...status, conditions, ...(startTime && { startTime }) } };
  const verdict = judge(begun, counts, active, nowMs);
  const isDeleted = Boolean(job.metadata?.deletionTimestamp);

  const changes = { create: [] as NewPod[], remove: [] as Pod[] };
  if (verdict || isSuspended) changes.remove = active.slice(0, burstMax);
  else if (!isDeleted) Object.assign(changes, keepUp(begun, counts, active, pods, nowMs));
  if (isDeleted) changes.remove = [];
  const left = active.filter((pod) => !changes.remove.includes(pod));
  if (verdict && !verdict.isSuccess) countAsFailed(job, changes.remove, counts);
  const next: JobStatus = {
    conditions,
    ...(startTime && { startTime }),
    ...(left.length + changes.create.length > 0 && { active: left.length + changes.create.length }),
    ready: left.filter(isPodReady).length,
    terminating: pods.filter(isTerminating).length,
    ...countFields(job, counts),
  };
  const isOver = active.length === 0 && next.terminating === 0 && isAllCounted(all);
  if (verdict) conclude(next, verdict, isOver, events, nowMs);
  if (conditions.length === 0) delete next.conditions;
  const { release } = counts;
  const lookAgainInMs = verdict ? undefined : soonest(begun, counts, pods, changes.create, nowMs);
  // Only what a failed Job takes along counts as failed.
  const isForgiven = !verdict || verdict.isSuccess || isSuspended;
  return { ...changes, isForgiven, status: next, events, release, lookAgainInMs };
}

/** Pods that go because the Job has failed have failed too, but not their indexes; they need not be waited for. */
function countAsFailed(job: Job, pods: readonly Pod[], counts: Counts): void {
  const { completions = 0, completionMode } = job.spec!;
  const { uncounted, release } = counts;
  for (const pod of pods.filter(isTracked)) {
    if (uncounted.succeeded.length + uncounted.failed.length >= uncountedMax) return;
    release.push(pod);
    const index = indexOf(pod);
    const isOf = completionMode !== 'Indexed' || (index !== undefined && index < completions);
    if (isOf && matchFailurePolicy(job, pod)?.action !== 'Ignore') {
      uncounted.failed.push(pod.metadata?.uid ?? '');
    }
  }
}

/** The condition with which the Job finished. */
export function finishedAs({ status }: Job): JobCondition | undefined {
  return status?.conditions?.find(
    (condition) =>
      (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  );
}

function has(status: JobStatus, type: string): boolean {
  return status.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;
}

/** A status must not grow with the number of pods that end at once. */
function withinBounds(counts: Counts): Counts {
  const { succeeded, failed } = counts.uncounted;
  if (succeeded.length + failed.length <= uncountedMax) return counts;
  const kept = { succeeded: succeeded.slice(0, uncountedMax), failed: [] as string[] };
  kept.failed = failed.slice(0, uncountedMax - kept.succeeded.length);
  const late = new Set([...succeeded.slice(kept.succeeded.length), ...failed.slice(kept.failed.length)]);
  const release = counts.release.filter(({ metadata }) => !late.has(metadata?.uid ?? ''));
  return { ...counts, uncounted: kept, release };
}

function isAllCounted({ uncounted, release }: Counts): boolean {
  return uncounted.succeeded.length === 0 && uncounted.failed.length === 0 && release.length === 0;
}

/** Conditions, start and events as `spec.suspend` has it. Resuming starts the time anew. */
function suspension({ spec, status = {} }: Job, nowMs: number) {
  const conditions = [...(status.conditions ?? [])];
  const events: JobPlan['events'] = [];
  const wasSuspended = has(status, 'Suspended');
  let { startTime } = status;
  const say = (to: 'True' | 'False', reason: string, message: string) => {
    const kept = conditions.findIndex(({ type }) => type === 'Suspended');
    const news = condition('Suspended', to, { reason, message }, nowMs);
    if (kept < 0) conditions.push(news);
    else conditions[kept] = news;
  };
  if (spec?.suspend && !wasSuspended) {
    say('True', 'JobSuspended', 'Job suspended');
    events.push({ type: 'Normal', reason: 'Suspended', message: 'Job suspended' });
  } else if (!spec?.suspend && wasSuspended) {
    say('False', 'JobResumed', 'Job resumed');
    events.push({ type: 'Normal', reason: 'Resumed', message: 'Job resumed' });
    startTime = toTime(nowMs);
  }
  if (!spec?.suspend) startTime ??= toTime(nowMs);
  return { conditions, events, startTime };
}

/** First what it comes to; when no pod runs any more and all are counted, that it has come to it. */
function conclude(
  status: JobStatus,
  verdict: Verdict,
  isOver: boolean,
  events: JobPlan['events'],
  nowMs: number,
): void {
  const { isSuccess, reason, message } = verdict;
  const conditions = status.conditions!;
  const add = (type: string) => {
    const isThere = conditions.some((each) => each.type === type && each.status === 'True');
    if (!isThere) conditions.push(condition(type, 'True', { reason, message }, nowMs));
  };
  add(isSuccess ? 'SuccessCriteriaMet' : 'FailureTarget');
  if (!isOver) return;
  add(isSuccess ? 'Complete' : 'Failed');
  if (isSuccess) status.completionTime = toTime(nowMs);
  events.push(
    isSuccess
      ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
      : { type: 'Warning', reason, message },
  );
}

function condition(
  type: string,
  status: 'True' | 'False',
  why: { reason: string; message: string },
  nowMs: number,
): JobCondition {
  return { type, status, ...why, lastProbeTime: toTime(nowMs), lastTransitionTime: toTime(nowMs) };
}

/** What to create and remove so that as many run as should. */
function keepUp(job: Job, counts: Counts, active: readonly Pod[], pods: readonly Pod[], nowMs: number) {
  const { completions, parallelism = 1, podReplacementPolicy, completionMode } = job.spec!;
  const succeeded = counts.succeeded + counts.uncounted.succeeded.length;
  const idle = succeeded > 0 ? active.length : parallelism;
  const done = completionMode === 'Indexed' ? succeeded + counts.failedIndexes.size : succeeded;
  const wanted = completions === undefined ? idle : Math.max(0, Math.min(parallelism, completions - done));
  const [surplus, kept] = sortOut(job, active, counts, wanted);
  if (surplus.length > 0) return { create: [], remove: surplus.slice(0, burstMax) };
  const ending = podReplacementPolicy === 'Failed' ? pods.filter(isTerminating) : [];
  const missing = Math.min(wanted - kept.length - ending.length, burstMax);
  if (missing <= 0) return { create: [], remove: [] };
  if (completionMode !== 'Indexed') {
    if (creationBackoffMs(job, pods, nowMs) > 0) return { create: [], remove: [] };
    return { create: Array.from({ length: missing }, () => ({})), remove: [] };
  }
  const taken = new Set([...kept, ...ending].map(indexOf));
  const create: NewPod[] = [];
  const isPaced = job.spec?.backoffLimitPerIndex === undefined;
  if (isPaced && creationBackoffMs(job, pods, nowMs) > 0) return { create, remove: [] };
  const byIndex = isPaced ? undefined : Map.groupBy(pods, indexOf);
  for (let index = 0; index < (completions ?? 0) && create.length < missing; index++) {
    if (taken.has(index) || counts.completedIndexes.has(index) || counts.failedIndexes.has(index)) continue;
    if (byIndex && creationBackoffMs(job, byIndex.get(index) ?? [], nowMs) > 0) continue;
    create.push({ index, failures: counts.failuresByIndex.get(index) ?? 0 });
  }
  return { create, remove: [] };
}

/** The pods that are too many, and the others: of an index one pod is enough, and done indexes need none. */
function sortOut(job: Job, active: readonly Pod[], counts: Counts, wanted: number): [Pod[], Pod[]] {
  const useless: Pod[] = [];
  const useful: Pod[] = [];
  const taken = new Set<number>();
  for (const pod of [...rankForDeletion(active, active)].reverse()) {
    const index = indexOf(pod);
    const isOf = index !== undefined && index < (job.spec?.completions ?? 0);
    const isDone = isOf && (counts.completedIndexes.has(index) || counts.failedIndexes.has(index));
    const isUseless = job.spec?.completionMode === 'Indexed' && (!isOf || isDone || taken.has(index));
    if (index !== undefined) taken.add(index);
    (isUseless ? useless : useful).push(pod);
  }
  const surplus = Math.max(0, useful.length - wanted);
  return [[...useless, ...useful.slice(useful.length - surplus)], useful.slice(0, useful.length - surplus)];
}

function soonest(job: Job, counts: Counts, pods: readonly Pod[], created: NewPod[], nowMs: number) {
  const waits = [remainingDeadlineMs(job, nowMs)];
  if (created.length === 0 && !job.spec?.suspend) {
    const isPaced = job.spec?.backoffLimitPerIndex === undefined;
    const groups = isPaced ? [[undefined, pods] as const] : Map.groupBy(pods, indexOf);
    for (const [index, own] of groups) {
      if (index !== undefined && counts.failedIndexes.has(index)) continue;
      const waitMs = creationBackoffMs(job, own, nowMs);
      if (waitMs > 0) waits.push(waitMs);
    }
  }
  let firstMs: number | undefined;
  for (const waitMs of waits) if (waitMs !== undefined) firstMs = Math.min(firstMs ?? waitMs, waitMs);
  return firstMs === undefined ? undefined : Math.max(1, firstMs);
}
