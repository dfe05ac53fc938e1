import { scaledValue } from '../../api/int-or-string.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/kinds/podDisruptionBudget.ts';
import { toTime } from '../../base/clock.ts';
import { isPodReady } from '../pods.ts';
import { withCondition } from '../write-status.ts';

/** An eviction that was granted and not seen after this long is taken to have failed. */
export const disruptionSeenMs = 2 * 60_000;

export interface BudgetState {
  budget: PodDisruptionBudget;
  /** Those that it selects. */
  pods: readonly Pod[];
  /** How many pods their owners want, all together; why that cannot be said, if it cannot. */
  scale: number | { error: string };
  nowMs: number;
}

export interface BudgetPlan {
  status: PodDisruptionBudgetStatus;
  lookAgainInMs: number | undefined;
}

/** How many pods may be evicted now. https://kubernetes.io/docs/tasks/run-application/configure-pdb/ */
export function plan(state: BudgetState): BudgetPlan {
  const { budget, pods, nowMs } = state;
  const disrupted = stillDisrupted(budget, pods, nowMs);
  const healthy = pods.filter(
    (pod) => !pod.metadata?.deletionTimestamp && isPodReady(pod) && !disrupted.has(pod.metadata?.name ?? ''),
  ).length;
  const wanted = wantedOf(state);
  if ('error' in wanted)
    return { status: failedStatus(budget, wanted.error, nowMs), lookAgainInMs: undefined };
  const { expected, desired } = wanted;
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0;
  const reason = allowed > 0 ? 'SufficientPods' : 'InsufficientPods';
  const before = budget.status;
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? ('True' as const) : ('False' as const),
    reason,
    message: '',
    observedGeneration: budget.metadata?.generation ?? 0,
    lastTransitionTime: toTime(nowMs),
  };
  const firstMs = Math.min(...[...disrupted.values()].map((ms) => ms + disruptionSeenMs));
  return {
    status: {
      conditions: withCondition(before?.conditions ?? [], condition),
      currentHealthy: healthy,
      desiredHealthy: desired,
      disruptionsAllowed: allowed,
      expectedPods: expected,
      observedGeneration: budget.metadata?.generation ?? 0,
      ...(disrupted.size > 0 && {
        disruptedPods: Object.fromEntries([...disrupted].map(([name, ms]) => [name, toTime(ms)])),
      }),
    },
    lookAgainInMs: disrupted.size > 0 ? Math.max(1, firstMs - nowMs) : undefined,
  };
}

/** Until the size is known nothing may be evicted; what was known before stays. */
function failedStatus(
  { status }: PodDisruptionBudget,
  message: string,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False' as const,
    reason: 'SyncFailed',
    message,
    observedGeneration: status?.observedGeneration ?? 0,
    lastTransitionTime: toTime(nowMs),
  };
  const nothing = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  const conditions = withCondition(status?.conditions ?? [], condition);
  return { ...nothing, ...status, disruptionsAllowed: 0, conditions };
}

/** Whether the budget depends on how many pods their owners want. */
export function countsOwners({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === 'string';
}

/** Pods whose eviction was granted a short while ago and has not begun. */
function stillDisrupted(
  { status }: PodDisruptionBudget,
  pods: readonly Pod[],
  nowMs: number,
): Map<string, number> {
  const there = new Set(
    pods.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name),
  );
  const entries = Object.entries(status?.disruptedPods ?? {})
    .map(([name, time]): [string, number] => [name, Date.parse(time)])
    .filter(([name, ms]) => there.has(name) && ms + disruptionSeenMs > nowMs);
  return new Map(entries);
}

function wantedOf({
  budget,
  pods,
  scale,
}: BudgetState): { expected: number; desired: number } | { error: string } {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (typeof minAvailable === 'number') return { expected: pods.length, desired: minAvailable };
  // A budget that says nothing allows nothing.
  if (minAvailable === undefined && maxUnavailable === undefined) return { expected: 0, desired: 0 };
  if (typeof scale !== 'number') return scale;
  if (minAvailable !== undefined) return { expected: scale, desired: scaledValue(minAvailable, scale, 'up') };
  return { expected: scale, desired: Math.max(0, scale - scaledValue(maxUnavailable!, scale, 'up')) };
}
