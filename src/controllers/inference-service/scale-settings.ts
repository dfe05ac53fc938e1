import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { ScaleSettings } from './scale.ts';

/** Knative's annotations, on the InferenceService or in its predictor's `annotations`. */
const prefix = 'autoscaling.knative.dev';
/** Its defaults. */
const defaults = { concurrency: 100, rps: 200, utilizationPercent: 70, windowMs: 60_000 };
const windowMsMin = 6_000;
const windowMsMax = 3_600_000;
const retentionMsMax = 3_600_000;
const targetMin = 0.01;

/** How many pods a predictor may have. Without a maximum there are not more than the minimum, as in KServe's raw mode. */
export function boundsOf({ spec }: InferenceService): { min: number; max: number } {
  const { minReplicas, maxReplicas } = spec!.predictor;
  const min = minReplicas ?? 1;
  return { min, max: Math.max(1, min, maxReplicas ?? 0) };
}

/** What a predictor that follows its requests goes by; undefined for one whose number of pods they don't change. */
export function scaleSettingsOf(inference: InferenceService): ScaleSettings | undefined {
  const { min, max } = boundsOf(inference);
  const { scaleMetric, scaleTarget, containerConcurrency } = inference.spec!.predictor;
  const isFixed = min === max;
  if (isFixed || scaleMetric === 'cpu' || scaleMetric === 'memory') return undefined;
  const metric = scaleMetric === 'rps' ? 'rps' : 'concurrency';
  const limit = metric === 'concurrency' && containerConcurrency ? Number(containerConcurrency) : Infinity;
  const asked = scaleTarget ?? (Number.isFinite(limit) ? limit : defaults[metric]);
  const percent = Number(
    annotationOf(inference, 'target-utilization-percentage') ?? defaults.utilizationPercent,
  );
  const share = percent >= 1 && percent <= 100 ? percent : defaults.utilizationPercent;
  const window = durationMs(annotationOf(inference, 'window')) ?? defaults.windowMs;
  const retention = durationMs(annotationOf(inference, 'scale-to-zero-pod-retention-period')) ?? 0;
  return {
    min,
    max,
    metric,
    target: Math.max(targetMin, Math.min(asked, limit) * (share / 100)),
    stableWindowMs: Math.min(windowMsMax, Math.max(windowMsMin, window)),
    retentionMs: Math.min(retentionMsMax, retention),
  };
}

function annotationOf({ metadata, spec }: InferenceService, name: string): string | undefined {
  const key = `${prefix}/${name}`;
  return spec?.predictor.annotations?.[key] ?? metadata?.annotations?.[key];
}

/** Go's durations, as far as they are written here: `90s`, `1m30s`, `2h`, `500ms`. */
function durationMs(text: string | undefined): number | undefined {
  if (!text || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit as keyof typeof units], 0);
}
