import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { endedMs, hasFailed, indexOf } from './pod.ts';

/** The wait before the first replacement; it doubles with every failure since the last success. */
export const backoffInitialMs = 10_000;
/** https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy: six minutes. */
export const backoffMaxMs = 360_000;

/** How long no pod may be created, of one index or of all; 0 when one may. Read from the pods, so a restart keeps it. */
export function creationBackoffMs(job: Job, pods: readonly Pod[], nowMs: number, index?: number): number {
  const own = index === undefined ? pods : pods.filter((pod) => indexOf(pod) === index);
  const successes = own.filter(({ status }) => status?.phase === 'Succeeded');
  const succeededMs = Math.max(0, ...successes.map((pod) => endedMs(pod, nowMs)));
  const failedMs = own
    .filter((pod) => hasFailed(pod, job))
    .map((pod) => endedMs(pod, nowMs))
    .filter((ms) => ms > succeededMs);
  if (failedMs.length === 0) return 0;
  const waitMs = Math.min(backoffMaxMs, backoffInitialMs * 2 ** Math.min(failedMs.length - 1, 20));
  return Math.max(0, Math.max(...failedMs) + waitMs - nowMs);
}

export function isIndexReady(job: Job, pods: readonly Pod[], index: number, nowMs: number): boolean {
  return creationBackoffMs(job, pods, nowMs, index) === 0;
}
