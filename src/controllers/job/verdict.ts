import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Counts } from './count.ts';
import { parseIndexes } from './indexes.ts';

/** How a Job is going to finish, in kube-controller-manager's words. */
export interface Verdict {
  isSuccess: boolean;
  reason: string;
  message: string;
}

/** What the Job comes to; undefined while that is open. Once said it stays. */
export function judge(job: Job, counts: Counts, active: readonly Pod[], nowMs: number): Verdict | undefined {
  return said(job) ?? failure(job, counts, active, nowMs) ?? success(job, counts, active);
}

function said({ status }: Job): Verdict | undefined {
  for (const { type, status: holds, reason = '', message = '' } of status?.conditions ?? []) {
    if (holds !== 'True') continue;
    if (type === 'FailureTarget') return { isSuccess: false, reason, message };
    if (type === 'SuccessCriteriaMet') return { isSuccess: true, reason, message };
  }
  return undefined;
}

function failure(job: Job, counts: Counts, active: readonly Pod[], nowMs: number): Verdict | undefined {
  const {
    backoffLimit = 6,
    completions = 0,
    completionMode,
    backoffLimitPerIndex,
    maxFailedIndexes,
  } = job.spec!;
  const fail = (reason: string, message: string): Verdict => ({ isSuccess: false, reason, message });
  if (counts.failJob) return fail('PodFailurePolicy', counts.failJob);
  const failed = counts.failed + counts.uncounted.failed.length;
  if (failed > backoffLimit || isPastLimitByRestarts(job, active)) {
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  }
  if (remainingDeadlineMs(job, nowMs) === 0) {
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  if (completionMode !== 'Indexed' || backoffLimitPerIndex === undefined) return undefined;
  const failedIndexes = counts.failedIndexes.size;
  if (maxFailedIndexes !== undefined && failedIndexes > maxFailedIndexes) {
    return fail(
      'MaxFailedIndexesExceeded',
      'Job has exceeded the specified maximal number of failed indexes',
    );
  }
  const isDone = failedIndexes > 0 && failedIndexes + counts.completedIndexes.size >= completions;
  return isDone ? fail('FailedIndexes', 'Job has failed indexes') : undefined;
}

/** With OnFailure the pods stay and their containers start again: those starts count. */
function isPastLimitByRestarts({ spec }: Job, active: readonly Pod[]): boolean {
  if (spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const { backoffLimit = 6 } = spec;
  let restarts = 0;
  for (const { status } of active) {
    const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    for (const { restartCount } of all) restarts += restartCount;
  }
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}

/** Milliseconds until `activeDeadlineSeconds` is over; undefined where there is none or time does not count. */
export function remainingDeadlineMs({ spec, status }: Job, nowMs: number): number | undefined {
  if (spec?.activeDeadlineSeconds === undefined || !status?.startTime || spec.suspend) return undefined;
  return Math.max(0, Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000 - nowMs);
}

function success(job: Job, counts: Counts, active: readonly Pod[]): Verdict | undefined {
  const { completions, suspend } = job.spec!;
  const matched = matchSuccessPolicy(job, counts);
  if (matched !== undefined) {
    return { isSuccess: true, reason: 'SuccessPolicy', message: `Matched rules at index ${matched}` };
  }
  const succeeded = counts.succeeded + counts.uncounted.succeeded.length;
  const isComplete =
    active.length === 0 &&
    (completions === undefined ? succeeded > 0 : succeeded >= completions) &&
    !(suspend && completions !== 0 && succeeded === 0);
  if (!isComplete) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { isSuccess: true, reason: 'CompletionsReached', message };
}

/** The first rule that holds. */
function matchSuccessPolicy({ spec }: Job, { completedIndexes }: Counts): number | undefined {
  if (spec?.completionMode !== 'Indexed') return undefined;
  const found = (spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    const among =
      succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, spec.completions);
    const met = [...completedIndexes].filter((index) => !among || among.has(index)).length;
    const needed = succeededCount ?? among?.size ?? 0;
    return met >= needed && needed > 0;
  });
  return found < 0 ? undefined : found;
}
