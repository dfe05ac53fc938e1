/** What a predictor's autoscaling goes by; names, defaults and rules are Knative's (serving.knative.dev, `pkg/autoscaler`). */
export interface ScaleSettings {
  min: number;
  max: number;
  metric: 'concurrency' | 'rps';
  /** Requests at a time, or a second, that one pod is to have on average. */
  target: number;
  /** What is averaged over. */
  stableWindowMs: number;
  /** Without requests for so long beyond the stable window, the last pod goes too, if `min` is 0. */
  retentionMs: number;
}

/** What all pods had to do at a moment, on average since the one before. */
export interface LoadSample {
  atMs: number;
  concurrency: number;
  rps: number;
  /** Requests that began since, or are under way. */
  isActive: boolean;
}

export interface ScaleHistory {
  /** Oldest first. */
  samples: LoadSample[];
  /** When a request was last seen, or waited for. */
  activeAtMs: number;
  panic: { sinceMs: number; pods: number } | undefined;
}

/** The share of the stable window that is looked at for a sudden rise. */
const panicShare = 0.1;
/** So many times the pods that there are must be needed for a panic. */
const panicThreshold = 2;
/** How much fewer pods there may be at a time. */
const downRateMax = 2;
/** How much more pods there may be at a time. */
const upRateMax = 1000;
const samplesMax = 4_096;

export function newHistory(nowMs: number): ScaleHistory {
  return { samples: [], activeAtMs: nowMs, panic: undefined };
}

export function addSample(history: ScaleHistory, sample: LoadSample, settings: ScaleSettings): void {
  const { atMs, isActive } = sample;
  if (isActive) history.activeAtMs = atMs;
  history.samples = [...history.samples, sample]
    .filter((each) => atMs - each.atMs < settings.stableWindowMs)
    .slice(-samplesMax);
}

/** How many pods there should be now, of which `ready` are there. Without samples it stays as it is. */
export function podsNeeded(
  settings: ScaleSettings,
  history: ScaleHistory,
  now: { ready: number; current: number; nowMs: number },
): number {
  const { min, max, stableWindowMs, retentionMs } = settings;
  const { current, nowMs } = now;
  const idleMs = nowMs - history.activeAtMs;
  const isIdle = idleMs >= stableWindowMs + retentionMs;
  if (min === 0 && isIdle) {
    history.panic = undefined;
    return 0;
  }
  const lowest = Math.max(1, min);
  const within = (pods: number) => Math.min(Math.max(pods, lowest), Math.max(max || Infinity, lowest));
  if (history.samples.length === 0) return within(current);
  return within(wanted(settings, history, now));
}

function wanted(
  { metric, target, stableWindowMs }: ScaleSettings,
  history: ScaleHistory,
  { ready, nowMs }: { ready: number; nowMs: number },
): number {
  const there = Math.max(1, ready);
  const least = Math.floor(there / downRateMax);
  const most = Math.ceil(there * upRateMax);
  const podsOver = (windowMs: number) =>
    Math.ceil(average(history.samples, metric, nowMs - windowMs) / target);
  const stable = Math.min(Math.max(podsOver(stableWindowMs), least), most);
  const sudden = Math.min(Math.max(podsOver(stableWindowMs * panicShare), least), most);
  if (podsOver(stableWindowMs * panicShare) / there >= panicThreshold) {
    history.panic = { sinceMs: nowMs, pods: history.panic?.pods ?? 0 };
  } else if (history.panic && nowMs - history.panic.sinceMs > stableWindowMs) {
    history.panic = undefined;
  }
  if (!history.panic) return stable;
  // In a panic nothing is taken away.
  history.panic.pods = Math.max(history.panic.pods, stable, sudden, there);
  return history.panic.pods;
}

function average(samples: readonly LoadSample[], metric: 'concurrency' | 'rps', sinceMs: number): number {
  const within = samples.filter(({ atMs }) => atMs > sinceMs);
  const counted = within.length > 0 ? within : samples.slice(-1);
  return counted.reduce((sum, sample) => sum + sample[metric], 0) / counted.length;
}
