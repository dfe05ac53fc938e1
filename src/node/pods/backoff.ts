/** Kubernetes' back-off for crashing containers and failing pulls: 10 s, doubling, at most 5 minutes. */
export const backOffInitialMs = 10_000;
export const backOffMaxMs = 300_000;
/** A container that ran this long without a restart begins again without delay. */
export const crashBackOffResetMs: number = 2 * backOffMaxMs;

export interface CrashBackOff {
  delayMs: number;
  /** When the restart that this delay follows was made. */
  restartedAtMs: number;
}

export interface PullBackOff {
  delayMs: number;
  failedAtMs: number;
}

export type RestartDecision =
  | { kind: 'restart'; backOff: CrashBackOff }
  | { kind: 'wait'; delayMs: number; untilMs: number };

/** The first restart is immediate; later ones wait, counted from the moment the container ended. */
export function decideRestart(options: {
  backOff: CrashBackOff | undefined;
  finishedAtMs: number;
  nowMs: number;
}): RestartDecision {
  const { finishedAtMs, nowMs } = options;
  const ranLong =
    options.backOff !== undefined && finishedAtMs - options.backOff.restartedAtMs > crashBackOffResetMs;
  const backOff = ranLong ? undefined : options.backOff;
  if (backOff && nowMs - finishedAtMs < backOff.delayMs) {
    return { kind: 'wait', delayMs: backOff.delayMs, untilMs: finishedAtMs + backOff.delayMs };
  }
  return { kind: 'restart', backOff: { delayMs: doubled(backOff?.delayMs), restartedAtMs: nowMs } };
}

export function afterFailedPull(backOff: PullBackOff | undefined, nowMs: number): PullBackOff {
  return { delayMs: doubled(backOff?.delayMs), failedAtMs: nowMs };
}

function doubled(delayMs: number | undefined): number {
  return delayMs === undefined ? backOffInitialMs : Math.min(delayMs * 2, backOffMaxMs);
}

/** `350ms`, `1.5s`, `2m40s`, `1h0m0s`: a duration as Go prints it, which is how Kubernetes' messages show it. */
export function formatDuration(ms: number): string {
  const whole = Math.trunc(ms);
  if (whole < 1000) return whole === 0 ? '0s' : `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = `${(whole % 60_000) / 1000}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
