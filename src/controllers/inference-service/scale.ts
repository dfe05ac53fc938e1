/** What a predictor's autoscaling goes by; Knative's names, defaults and windows. */
export interface ScaleSettings {
  min: number;
  max: number;
  /** Requests at a time, or a second, that one pod should have. */
  target: number;
  metric: 'concurrency' | 'rps';
  /** Without requests for so long, the last pod goes too, if `min` is 0. */
  idleMs: number;
}

/** What the pods had to do. */
export interface Load {
  concurrency: number;
  rps: number;
}

/** How long fewer pods must have sufficed before there are fewer (Knative's stable window). */
export const stableWindowMs = 60_000;
const samplesMax = 64;

export interface ScaleHistory {
  /** What was needed, and when; oldest first. */
  needed: { atMs: number; replicas: number }[];
  /** When the last request was seen. */
  activeMs: number;
}

/** How many replicas there should be now. Up at once; down when the window has passed; to zero when idle. */
export function replicasFor(
  settings: ScaleSettings,
  seen: { current: number; load: Load | undefined; history: ScaleHistory; nowMs: number },
): number {
  const { min, max, target, metric, idleMs } = settings;
  const { current, load, history, nowMs } = seen;
  const isIdle = nowMs - history.activeMs >= idleMs;
  if (min === 0 && isIdle) {
    history.needed = [];
    return 0;
  }
  const lowest = Math.max(1, min);
  const within = (replicas: number) => Math.min(Math.max(replicas, lowest), Math.max(max, lowest));
  if (!load) return within(current);
  const needed = within(Math.ceil(load[metric] / target));
  history.needed = [...history.needed, { atMs: nowMs, replicas: needed }]
    .filter(({ atMs }) => nowMs - atMs < stableWindowMs)
    .slice(-samplesMax);
  if (needed >= current) return needed;
  return Math.min(within(current), Math.max(...history.needed.map(({ replicas }) => replicas)));
}
