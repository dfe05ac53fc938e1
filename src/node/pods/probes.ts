/** Kubernetes' probe timing, in milliseconds; `successThreshold` is 1 for all but readiness. */
export interface ProbeTiming {
  initialDelayMs: number;
  periodMs: number;
  timeoutMs: number;
  successThreshold: number;
  failureThreshold: number;
}

/** One probe of one attempt of a container. Results come in, a verdict goes out. */
export interface ProbeState {
  timing: ProbeTiming;
  /** When the container began to run. */
  startedAtMs: number;
  /** When the last probe was sent; undefined before the first. */
  lastAtMs?: number;
  isHealthy: boolean;
  /** How many results in a row said the same. */
  run: { isSuccess: boolean; length: number };
}

type ProbeSpec = {
  initialDelaySeconds?: number | undefined;
  periodSeconds?: number | undefined;
  timeoutSeconds?: number | undefined;
  successThreshold?: number | undefined;
  failureThreshold?: number | undefined;
};

export function timingOf(probe: ProbeSpec): ProbeTiming {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds || 10) * 1000,
    timeoutMs: (probe.timeoutSeconds || 1) * 1000,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}

/** Readiness begins false, liveness true: a container is alive until shown otherwise. */
export function beginProbe(timing: ProbeTiming, startedAtMs: number, isHealthy: boolean): ProbeState {
  return { timing, startedAtMs, isHealthy, run: { isSuccess: isHealthy, length: 0 } };
}

/**
 * When to probe next. Until a readiness or startup probe first succeeds, and if its period allows, it is asked again
 * sooner than its period: kubelet probes at once when a container starts, we go on at a tenth of a second, doubling.
 */
export function nextProbeMs(state: ProbeState, options: { eager: boolean }): number {
  const { timing, startedAtMs, lastAtMs } = state;
  const firstMs = startedAtMs + timing.initialDelayMs;
  if (lastAtMs === undefined) return firstMs;
  if (options.eager && !state.isHealthy) {
    const sinceFirstMs = Math.max(0, lastAtMs - firstMs);
    return lastAtMs + Math.min(timing.periodMs, Math.max(eagerMinMs, sinceFirstMs));
  }
  return lastAtMs + timing.periodMs;
}

const eagerMinMs = 50;

/** Takes in a result; the verdict changes only after as many equal results as the threshold says. */
export function takeResult(state: ProbeState, isSuccess: boolean): ProbeState {
  const length = state.run.isSuccess === isSuccess ? state.run.length + 1 : 1;
  const threshold = isSuccess ? state.timing.successThreshold : state.timing.failureThreshold;
  const isHealthy = length >= threshold ? isSuccess : state.isHealthy;
  return { ...state, run: { isSuccess, length }, isHealthy };
}

/** Whether the failures so far are enough to act (restart the container). */
export const hasFailed = ({ run, timing }: ProbeState): boolean =>
  !run.isSuccess && run.length >= timing.failureThreshold;
