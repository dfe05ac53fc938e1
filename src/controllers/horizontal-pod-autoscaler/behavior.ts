import type { ScalingBehavior, ScalingRules } from '../../api/kinds/horizontalPodAutoscaler.ts';

/** How many pods came or went, and when. */
export interface ScaleEvent {
  change: number;
  atMs: number;
}

/** What was recommended, and what was done, lately. */
export interface History {
  recommendations: { replicas: number; atMs: number }[];
  ups: ScaleEvent[];
  downs: ScaleEvent[];
}

export interface Limited {
  replicas: number;
  /** Set where an earlier recommendation was more cautious. */
  stabilized?: { reason: string; message: string };
  limited: { reason: string; message: string } | undefined;
}

/** kube-controller-manager's --horizontal-pod-autoscaler-downscale-stabilization. */
const downStabilizationSeconds = 300;
/** So many replicas may be there after one step up, whatever the current number is. */
const upAtOnceMin = 4;
const defaultUp: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const defaultDown: ScalingRules = {
  stabilizationWindowSeconds: downStabilizationSeconds,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};
/** No window or period is longer, so nothing older counts. */
export const historyMs = 3_600_000;
/** Kept at most; one is added every quarter of a minute. */
export const historyMax = 1_000;

/** https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior */
export function limit(options: {
  current: number;
  desired: number;
  min: number;
  max: number;
  behavior: ScalingBehavior | undefined;
  history: History;
  nowMs: number;
}): Limited {
  const { current, desired, min, max, behavior, history, nowMs } = options;
  if (!behavior) return limitPlainly(options);
  const up = { ...defaultUp, ...behavior.scaleUp };
  const down = { ...defaultDown, ...behavior.scaleDown };
  const stable = stabilize(desired, current, { up, down, history, nowMs });
  const why = desired >= current ? upStabilized : downStabilized;
  const stabilized = stable === desired ? undefined : why;
  const bounded = pace(stable, { current, min, max, up, down, history, nowMs });
  return { ...bounded, ...(stabilized && { stabilized }) };
}

/** Without a behavior: down to the highest recommendation of the window, up to the double or to four at once. */
function limitPlainly({
  current,
  desired,
  min,
  max,
  history,
  nowMs,
}: Omit<Parameters<typeof limit>[0], 'behavior'>): Limited {
  const sinceMs = nowMs - downStabilizationSeconds * 1000;
  const recent = history.recommendations.filter(({ atMs }) => atMs >= sinceMs);
  const stable = Math.max(desired, ...recent.map(({ replicas }) => replicas));
  const stabilized = stable === desired ? {} : { stabilized: downStabilized };
  const most = Math.max(2 * current, upAtOnceMin);
  if (stable < min) return { replicas: min, limited: tooFew, ...stabilized };
  if (stable <= Math.min(most, max)) return { replicas: stable, limited: undefined, ...stabilized };
  return max > most
    ? { replicas: most, limited: tooFast('ScaleUpLimit', 'increasing'), ...stabilized }
    : { replicas: max, limited: tooMany, ...stabilized };
}

/** Up only as far as the lowest, down only as far as the highest recommendation of the window. */
function stabilize(
  desired: number,
  current: number,
  { up, down, history, nowMs }: { up: ScalingRules; down: ScalingRules; history: History; nowMs: number },
): number {
  const within = (seconds = 0) =>
    history.recommendations
      .filter(({ atMs }) => atMs > nowMs - seconds * 1000)
      .map(({ replicas }) => replicas);
  const lowest = Math.min(desired, ...within(up.stabilizationWindowSeconds));
  const highest = Math.max(desired, ...within(down.stabilizationWindowSeconds));
  return Math.min(Math.max(current, lowest), highest);
}

function pace(
  desired: number,
  options: {
    current: number;
    min: number;
    max: number;
    up: ScalingRules;
    down: ScalingRules;
    history: History;
    nowMs: number;
  },
): Limited {
  const { current, min, max, up, down, history, nowMs } = options;
  if (desired > current) {
    const most = Math.max(current, limitOf(up, current, history, nowMs, 1));
    if (desired > Math.min(most, max)) {
      return most < max
        ? { replicas: most, limited: tooFast('ScaleUpLimit', 'increasing') }
        : { replicas: max, limited: tooMany };
    }
  } else if (desired < current) {
    const least = Math.min(current, limitOf(down, current, history, nowMs, -1));
    if (desired < Math.max(least, min)) {
      return least > min
        ? { replicas: least, limited: tooFast('ScaleDownLimit', 'decreasing') }
        : { replicas: min, limited: tooFew };
    }
  }
  if (desired > max) return { replicas: max, limited: tooMany };
  return desired < min ? { replicas: min, limited: tooFew } : { replicas: desired, limited: undefined };
}

function limitOf(
  rules: ScalingRules,
  current: number,
  history: History,
  nowMs: number,
  sign: 1 | -1,
): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const since = (events: readonly ScaleEvent[]) =>
      events
        .filter(({ atMs }) => atMs > nowMs - periodSeconds * 1000)
        .reduce((sum, { change }) => sum + change, 0);
    const atStart = current - since(history.ups) + since(history.downs);
    if (type === 'Pods') return atStart + sign * value;
    const share = atStart * (1 + (sign * value) / 100);
    return sign > 0 ? Math.ceil(share - 1e-9) : Math.floor(share + 1e-9);
  });
  const isMost = (rules.selectPolicy ?? 'Max') === 'Max';
  return sign > 0 === isMost ? Math.max(...limits) : Math.min(...limits);
}

const downStabilized = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const upStabilized = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const tooMany = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const tooFew = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const tooFast = (reason: string, how: string) => ({
  reason,
  message: `the desired replica count is ${how} faster than the maximum scale rate`,
});
