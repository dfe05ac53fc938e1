import { type Clock, toTime } from '../../base/clock.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { DataStatistics } from '../../ml/export/statistics.ts';
import { type Tensor, toJson } from '../datatype.ts';
import { confidencesOf } from '../joint/confidence.ts';
import { rowsOf, splitRows } from '../rows.ts';
import { Drift, type DriftReport } from './drift.ts';
import { type HardExample, HardExamples } from './hard-examples.ts';

/** Requests looked at; at a higher rate the others are passed over, which changes no statistics. */
export const lookedAtPerSecond = 100;
/** Models that are watched at once. */
export const watchedMax = 64;

export interface Observed {
  inputs: Record<string, Tensor>;
  images: Uint8Array[] | undefined;
  /** The model's own, before an escalation changed any. */
  outputs: Record<string, Tensor>;
  escalated: boolean;
}

/** Watches what models are asked and how sure they are, beside the requests. */
export interface Quality {
  observe(model: string, statistics: DataStatistics | undefined, observed: Observed): void;
  /** `undefined` if nothing was asked yet, or the artifact has no statistics. */
  drift(model: string): DriftReport | undefined;
  hardExamples(model: string): HardExamples;
  /** Writes the gauges. */
  measure(): void;
}

interface Watched {
  statistics: DataStatistics | undefined;
  drift: Drift | undefined;
  examples: HardExamples;
}

export function createQuality(options: { clock: Clock; metrics: Metrics; hardBelow: number }): Quality {
  const { clock, metrics, hardBelow } = options;
  const watched = new Map<string, Watched>();
  const score = metrics.gauge(
    'selvage_model_drift_score',
    'Population stability index of inputs and confidences against the training set.',
  );
  const hard = metrics.counter('selvage_model_hard_examples_total', 'Rows of low confidence that were kept.');
  let allowance = lookedAtPerSecond;
  let filledMs = clock.nowMs();

  function watchedOf(model: string, statistics: DataStatistics | undefined): Watched {
    let entry = watched.get(model);
    if (!entry || (statistics && entry.statistics !== statistics)) {
      // A new θ comes with statistics of its own; the hard examples of the old one stay.
      const drift = statistics && new Drift(statistics);
      entry = { statistics, drift, examples: entry?.examples ?? new HardExamples() };
      watched.delete(model);
      watched.set(model, entry);
      if (watched.size > watchedMax) watched.delete(watched.keys().next().value!);
    }
    return entry;
  }

  function isLookedAt(): boolean {
    if (allowance < 1) {
      const nowMs = clock.nowMs();
      allowance = Math.min(lookedAtPerSecond, (Math.max(0, nowMs - filledMs) / 1000) * lookedAtPerSecond);
      if (allowance < 1) return false;
      filledMs = nowMs;
    }
    allowance -= 1;
    return true;
  }

  function keepHard(entry: Watched, model: string, observed: Observed, confidences: Float32Array): void {
    const { inputs, images, escalated } = observed;
    if (rowsOf(inputs) !== confidences.length) return;
    const rows = splitRows(
      inputs,
      Array.from(confidences, () => 1),
    );
    for (const [row, confidence] of confidences.entries()) {
      if (confidence >= hardBelow) continue;
      const image = images?.[row];
      const time = toTime(clock.nowMs());
      entry.examples.add({
        time,
        confidence,
        escalated,
        inputs: copied(rows[row]!),
        ...(image && { image: Uint8Array.from(image) }),
      });
      hard.increment({ model });
    }
  }

  return {
    observe(model, statistics, observed) {
      if (!isLookedAt()) return;
      const entry = watchedOf(model, statistics);
      const confidences = confidencesOf(observed.outputs);
      entry.drift?.observe(observed.inputs, confidences);
      if (confidences?.some((confidence) => confidence < hardBelow))
        keepHard(entry, model, observed, confidences);
    },
    drift: (model) => watched.get(model)?.drift?.report(),
    hardExamples: (model) => watched.get(model)?.examples ?? new HardExamples(),
    measure() {
      for (const [model, { drift }] of watched) if (drift) score.set(drift.report().score, { model });
    },
  };
}

/** Views of a batch would keep all of it in memory. */
function copied(inputs: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]),
  );
}

/** The form in which examples are fetched: tensors as in an infer request, images as base64. */
export function describeExample({ time, confidence, escalated, inputs, image }: HardExample) {
  return {
    time,
    confidence,
    escalated,
    inputs: Object.entries(inputs).map(([name, { datatype, shape, data }]) => ({
      name,
      datatype,
      shape,
      data: toJson(datatype, data),
    })),
    ...(image && { image: { b64: Buffer.from(image).toString('base64') } }),
  };
}
