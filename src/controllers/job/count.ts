import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { isPodActive } from '../pods.ts';
import { matchFailurePolicy } from './failure-policy.ts';
import { formatIndexes, parseIndexes } from './indexes.ts';
import { hasFailed, indexFailuresAnnotation, indexOf, isTracked } from './pod.ts';

/** What a Job's pods have come to. */
export interface Counts {
  /** Counted for good: these pods have lost their finalizer. */
  succeeded: number;
  failed: number;
  /** UIDs that the status names before their pods lose the finalizer, so that a crash between loses no count. */
  uncounted: { succeeded: string[]; failed: string[] };
  completedIndexes: Set<number>;
  failedIndexes: Set<number>;
  /** Failures so far by index, where there is a limit for each. */
  failuresByIndex: Map<number, number>;
  /** Pods that may lose the finalizer as soon as these counts are written. */
  release: Pod[];
  /** Why the pod failure policy fails the whole Job, if it does. */
  failJob: string | undefined;
}

/**
 * Takes ended pods into account, each once whatever crashes between: a UID first enters `uncounted`, then its pod
 * loses the finalizer, and only when that is seen does it move on into the number.
 * https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
 */
export function countPods(job: Job, pods: readonly Pod[], options: { isEnding: boolean }): Counts {
  const { status, spec } = job;
  const before = status?.uncountedTerminatedPods ?? {};
  const tracked = pods.filter(isTracked);
  const trackedUids = new Set(tracked.map(({ metadata }) => metadata?.uid));
  const isOpen = (uid: string) => trackedUids.has(uid);
  const open = {
    succeeded: (before.succeeded ?? []).filter(isOpen),
    failed: (before.failed ?? []).filter(isOpen),
  };
  const counts: Counts = {
    succeeded: (status?.succeeded ?? 0) + (before.succeeded ?? []).length - open.succeeded.length,
    failed: (status?.failed ?? 0) + (before.failed ?? []).length - open.failed.length,
    uncounted: open,
    completedIndexes: parseIndexes(status?.completedIndexes, spec?.completions),
    failedIndexes: parseIndexes(status?.failedIndexes, spec?.completions),
    failuresByIndex: new Map(),
    release: [],
    failJob: undefined,
  };
  const isIndexed = spec?.completionMode === 'Indexed';
  const ended = tracked.filter((pod) => pod.status?.phase === 'Succeeded' || hasFailed(pod, job));
  if (isIndexed) countIndexFailures(job, pods, counts);
  const byIndex = spec?.backoffLimitPerIndex === undefined ? new Map() : Map.groupBy(pods, indexOf);
  const known = new Set([...open.succeeded, ...open.failed]);
  for (const pod of ended) {
    const uid = pod.metadata?.uid ?? '';
    if (known.has(uid)) counts.release.push(pod);
    else if (pod.status?.phase === 'Succeeded') countSuccess(job, pod, counts);
    else countFailure(job, pod, counts, options.isEnding || !isLastWord(pod, byIndex, counts));
  }
  if (isIndexed) counts.succeeded = counts.completedIndexes.size;
  return counts;
}

function countSuccess({ spec }: Job, pod: Pod, counts: Counts): void {
  counts.release.push(pod);
  if (spec?.completionMode !== 'Indexed') {
    counts.uncounted.succeeded.push(pod.metadata?.uid ?? '');
    return;
  }
  const index = indexOf(pod);
  const isWanted = index !== undefined && index < (spec.completions ?? 0) && !counts.failedIndexes.has(index);
  if (isWanted) counts.completedIndexes.add(index);
}

function countFailure(job: Job, pod: Pod, counts: Counts, isReplaced: boolean): void {
  const match = matchFailurePolicy(job, pod);
  if (match?.action === 'FailJob') counts.failJob ??= match.message;
  if (match?.action === 'FailIndex') {
    const index = indexOf(pod);
    if (index !== undefined) counts.failedIndexes.add(index);
  } else if (!isReplaced) return;
  counts.release.push(pod);
  if (match?.action !== 'Ignore') counts.uncounted.failed.push(pod.metadata?.uid ?? '');
}

/** With a limit for each index the last failed pod of an index is kept until another carries its number on. */
function isLastWord(pod: Pod, byIndex: ReadonlyMap<number | undefined, Pod[]>, counts: Counts): boolean {
  const index = indexOf(pod);
  const alike = index === undefined ? undefined : byIndex.get(index);
  if (index === undefined || alike === undefined) return false;
  if (counts.completedIndexes.has(index) || counts.failedIndexes.has(index)) return false;
  const own = failuresBefore(pod);
  return !alike.some((other) => other !== pod && failuresBefore(other) >= own + (isPodActive(other) ? 0 : 1));
}

function countIndexFailures(job: Job, pods: readonly Pod[], counts: Counts): void {
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit === undefined) return;
  for (const pod of pods) {
    const index = indexOf(pod);
    if (index === undefined || index >= (job.spec?.completions ?? 0)) continue;
    const isCounted = hasFailed(pod, job) && matchFailurePolicy(job, pod)?.action !== 'Ignore';
    const failures = failuresBefore(pod) + (isCounted ? 1 : 0);
    counts.failuresByIndex.set(index, Math.max(failures, counts.failuresByIndex.get(index) ?? 0));
    // One that has lost its finalizer was counted, or went along with the Job.
    const isPastLimit = isTracked(pod) && failures > limit && !counts.completedIndexes.has(index);
    if (isPastLimit) counts.failedIndexes.add(index);
  }
}

function failuresBefore({ metadata }: Pod): number {
  return Number(metadata?.annotations?.[indexFailuresAnnotation] ?? 0) || 0;
}

/** The counts as the status has them; what is nothing is left out. */
export function countFields(job: Job, counts: Counts) {
  const { succeeded, failed, uncounted, completedIndexes, failedIndexes } = counts;
  return {
    ...(succeeded > 0 && { succeeded }),
    ...(failed > 0 && { failed }),
    ...(completedIndexes.size > 0 && { completedIndexes: formatIndexes(completedIndexes) }),
    ...(job.spec?.backoffLimitPerIndex !== undefined && { failedIndexes: formatIndexes(failedIndexes) }),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 && { succeeded: uncounted.succeeded }),
      ...(uncounted.failed.length > 0 && { failed: uncounted.failed }),
    },
  };
}
