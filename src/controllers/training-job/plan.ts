import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { TrainingJob, TrainingJobCondition, TrainingJobStatus } from '../../api/kinds/trainingJob.ts';
import { toTime } from '../../base/clock.ts';
import { withCondition } from '../write-status.ts';
import type { Promotion } from './promotion.ts';

export interface Observed {
  training: TrainingJob;
  /** The Job that was made for it. */
  job: Job | undefined;
  pods: readonly Pod[];
  promotion: Promotion | undefined;
  /** What keeps it from running. */
  problem: string | undefined;
  nowMs: number;
}

export interface TrainingEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** What is said of the training: its own words on progress stay, what its Job came to is added. */
export function statusOf(observed: Observed): { status: TrainingJobStatus; events: TrainingEvent[] } {
  const { training, job, promotion, problem, nowMs } = observed;
  const before = training.status ?? {};
  const events: TrainingEvent[] = [];
  let conditions = [...(before.conditions ?? [])];
  const say = (type: string, isTrue: boolean, reason: string, message: string): boolean => {
    const current = conditions.find((each) => each.type === type);
    const status = isTrue ? 'True' : 'False';
    const lastTransitionTime = toTime(nowMs);
    const next: TrainingJobCondition = { type, status, reason, message, lastTransitionTime };
    conditions = withCondition(conditions, next);
    return current?.status !== status;
  };

  const { active, failed, startTime, completionTime } = job?.status ?? {};
  const isSuspended = holds(job, 'Suspended');
  const failure = problem ? { reason: 'InvalidJob', message: problem } : failureOf(observed);
  const result = before.result;
  const isComplete = holds(job, 'Complete') && result !== undefined;
  // Once it has ended, nobody says otherwise any more.
  if (!finishedAs(training)) {
    if (isSuspended && say('Suspended', true, 'JobSuspended', 'Job suspended')) {
      events.push({ type: 'Normal', reason: 'Suspended', message: 'Training suspended' });
    }
    const wasSuspended = conditions.some(({ type, status }) => type === 'Suspended' && status === 'True');
    if (!isSuspended && wasSuspended && say('Suspended', false, 'JobResumed', 'Job resumed')) {
      events.push({ type: 'Normal', reason: 'Resumed', message: 'Training resumed' });
    }
    if (promotion && isComplete) {
      const { isPromoted, reason, message } = promotion;
      say('Promoted', isPromoted, reason, message);
      const what = isPromoted ? 'Promoted' : 'NotPromoted';
      events.push({ type: isPromoted ? 'Normal' : 'Warning', reason: what, message });
    }
    if (isComplete) {
      const message = `Trained${result.image ? `, pushed as ${result.image}` : ''}: ${figures(result.metrics)}`;
      say('Complete', true, 'TrainingCompleted', message);
      events.push({ type: 'Normal', reason: 'Completed', message });
    } else if (failure) {
      say('Failed', true, failure.reason, failure.message);
      events.push({ type: 'Warning', reason: failure.reason, message: failure.message });
    }
  }
  const isPromoted = conditions.some(({ type, status }) => type === 'Promoted' && status === 'True');
  const { active: _a, failed: _f, ...kept } = before;
  return {
    events,
    status: {
      ...kept,
      observedGeneration: training.metadata?.generation ?? 0,
      ...(conditions.length > 0 && { conditions }),
      ...(active && { active }),
      ...(failed && { failed }),
      ...(startTime && { startTime: before.startTime ?? startTime }),
      ...(completionTime && { completionTime }),
      ...(isPromoted && { promoted: true }),
    },
  };
}

/** The condition that says what became of it; undefined while that is open. */
export function finishedAs({ status }: TrainingJob): TrainingJobCondition | undefined {
  return status?.conditions?.find(
    ({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True',
  );
}

/** How long a finished training is kept still, in ms; undefined for ever. */
export function remainingMs(training: TrainingJob, nowMs: number): number | undefined {
  const { ttlSecondsAfterFinished } = training.spec;
  const finished = finishedAs(training);
  if (ttlSecondsAfterFinished === undefined || !finished) return undefined;
  const finishedMs = Date.parse(finished.lastTransitionTime ?? '') || nowMs;
  return Math.max(0, finishedMs + ttlSecondsAfterFinished * 1000 - nowMs);
}

function holds(job: Job | undefined, type: string): boolean {
  return job?.status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;
}

/** Why the Job has failed, with the last words of the pod that it failed with. */
function failureOf({ job, pods }: Observed): { reason: string; message: string } | undefined {
  const failed = job?.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  if (!failed) return undefined;
  const words = pods
    .map((pod) => pod.status?.containerStatuses?.[0]?.state?.terminated)
    .filter((ended) => ended !== undefined && ended.exitCode !== 0)
    .sort((a, b) => Date.parse(b?.finishedAt ?? '') - Date.parse(a?.finishedAt ?? ''))[0]?.message;
  const isHopeless = failed.reason === 'PodFailurePolicy' && words;
  return {
    reason: isHopeless ? 'InvalidTraining' : (failed.reason ?? 'Failed'),
    message: isHopeless ? words : [failed.message, words].filter(Boolean).join(': '),
  };
}

function figures(metrics: Record<string, number> = {}): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(', ');
}
