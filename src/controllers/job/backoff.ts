import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { endedMs, hasFailed } from './pod.ts';

/** The wait before the first replacement; it doubles with every failure since the last success. */
export const backoffInitialMs = 10_000;
/** As kube-controller-manager waits; its documentation says six minutes. */
export const backoffMaxMs = 600_000;

/** How long no pod may be created after what became of these; 0 when one may. Read from the pods, so a restart keeps it. */
export function creationBackoffMs(job: Job, pods: readonly Pod[], nowMs: number): number {
  let succeededMs = 0;
  const failedMs: number[] = [];
  for (const pod of pods) {
    if (pod.status?.phase === 'Succeeded') succeededMs = Math.max(succeededMs, endedMs(pod, nowMs));
    else if (hasFailed(pod, job)) failedMs.push(endedMs(pod, nowMs));
  }
  let [failures, lastMs] = [0, 0];
  for (const ms of failedMs) {
    if (ms <= succeededMs) continue;
    failures++;
    lastMs = Math.max(lastMs, ms);
  }
  if (failures === 0) return 0;
  const waitMs = Math.min(backoffMaxMs, backoffInitialMs * 2 ** Math.min(failures - 1, 20));
  return Math.max(0, lastMs + waitMs - nowMs);
}
