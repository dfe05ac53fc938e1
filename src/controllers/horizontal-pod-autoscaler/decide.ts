import type {
  HorizontalPodAutoscalerCondition as Condition,
  HorizontalPodAutoscalerSpec,
} from '../../api/kinds/horizontalPodAutoscaler.ts';
import type { MetricStatus } from '../../api/parts/metricSpec.ts';
import { type History, limit } from './behavior.ts';
import type { Failure, Proposal } from './proposals.ts';

/** What a condition says, without its time. */
export type Said = Pick<Condition, 'type' | 'status'> & { reason: string; message: string };

/** How many replicas there should be, and what is to be told about it. */
export interface Decision {
  replicas: number;
  /** Why it is another number than now. */
  why: string;
  conditions: Said[];
  warnings: { reason: string; message: string }[];
  metrics?: MetricStatus[];
}

/** Where the number now is out of bounds, or zero: no metric is asked then. */
export function withoutMetrics(
  { minReplicas: min = 1, maxReplicas: max }: HorizontalPodAutoscalerSpec,
  current: number,
): Decision | undefined {
  const none = { conditions: [], warnings: [] };
  if (current === 0) {
    const message = 'scaling is disabled since the replica count of the target is zero';
    const said = { type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled', message } as const;
    return { ...none, replicas: 0, why: '', conditions: [said] };
  }
  if (current > max)
    return { ...none, replicas: max, why: 'Current number of replicas above Spec.MaxReplicas' };
  if (current < min)
    return { ...none, replicas: min, why: 'Current number of replicas below Spec.MinReplicas' };
  return undefined;
}

/** Follows the highest proposal as far as bounds, windows and policies allow. Enters it into `history`. */
export function fromMetrics(options: {
  spec: HorizontalPodAutoscalerSpec;
  current: number;
  answers: readonly (Proposal | Failure)[];
  history: History;
  nowMs: number;
}): Decision {
  const { spec, current, answers, history, nowMs } = options;
  const failures = answers.filter((answer): answer is Failure => !('replicas' in answer));
  const proposals = answers.filter((answer): answer is Proposal => 'replicas' in answer);
  const [best] = proposals.toSorted((a, b) => b.replicas - a.replicas);
  const warnings = failures.map(({ reason, message }) => ({ reason, message }));
  const metrics = answers.map((answer, at) =>
    'replicas' in answer ? answer.status : { type: spec.metrics?.[at]?.type ?? '' },
  );
  // With a metric unknown, growing is safe and shrinking is not.
  if (!best || (failures.length > 0 && best.replicas < current)) {
    return { ...unknown(failures, answers.length), replicas: current, warnings, metrics };
  }
  const { minReplicas: min = 1, maxReplicas: max, behavior } = spec;
  const limits = limit({ current, desired: best.replicas, min, max, behavior, history, nowMs });
  history.recommendations.push({ replicas: best.replicas, atMs: nowMs });
  const { replicas, stabilized, limited } = limits;
  const message = `the HPA was able to successfully calculate a replica count from ${best.metric}`;
  const conditions: Said[] = [
    { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message },
    { type: 'AbleToScale', status: 'True', ...(stabilized ?? readyForNewScale) },
    limited
      ? { type: 'ScalingLimited', status: 'True', ...limited }
      : { type: 'ScalingLimited', status: 'False', ...withinRange },
  ];
  const why = best.replicas > current ? `${best.metric} above target` : 'All metrics below target';
  return { replicas, why, conditions, warnings, metrics };
}

function unknown(failures: readonly Failure[], total: number): Pick<Decision, 'why' | 'conditions'> {
  const [first] = failures;
  const message = `the HPA was unable to compute the replica count: ${first?.message}`;
  const reason = first?.reason ?? 'InvalidMetricSourceType';
  return {
    why: `invalid metrics (${failures.length} invalid out of ${total}), first error is: ${first?.about}`,
    conditions: [{ type: 'ScalingActive', status: 'False', reason, message }],
  };
}

const readyForNewScale = {
  reason: 'ReadyForNewScale',
  message: 'recommended size matches current size',
};
const withinRange = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
};
