import type { Counter, Gauge, Histogram, Metrics } from '../base/metrics.ts';

/** Requests that the quantiles are of. */
export const recentMax = 1024;
/** Names come from loaded models only, but those come and go. */
const modelsMax = 256;

/** What one answer took, and for how many rows. */
export interface Took {
  rows: number;
  /** Reading and preparing, the model with waiting for it, and what follows. */
  inputMs: number;
  inferMs: number;
  outputMs: number;
}

/** Of all requests for a model. */
export interface Totals extends Took {
  count: number;
  failed: number;
  failedMs: number;
  /** When the last one ended; 0: none has. */
  lastTimeMs: number;
}

/** Of a model that nobody has asked. */
export const noTotals: Totals = {
  count: 0,
  rows: 0,
  inputMs: 0,
  inferMs: 0,
  outputMs: 0,
  failed: 0,
  failedMs: 0,
  lastTimeMs: 0,
};

interface Recent extends Totals {
  ms: Float64Array;
  observe: (seconds: number) => void;
  increment: () => void;
}

/** How long requests took: a histogram for Prometheus, and the quantiles of the newest for whoever just looks. */
export class Latencies {
  readonly #requests: Counter;
  readonly #duration: Histogram;
  readonly #quantiles: Gauge;
  #recent = new Map<string, Recent>();

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter(
      'selvage_inference_requests_total',
      'Infer requests by model and outcome.',
    );
    this.#duration = metrics.histogram(
      'selvage_inference_duration_seconds',
      'Time from a request read to its answer written.',
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    );
    this.#quantiles = metrics.gauge(
      'selvage_inference_latency_seconds',
      `Quantiles of the time of the newest ${recentMax} requests.`,
    );
  }

  record(model: string, ms: number, took: Took, timeMs: number): void {
    const recent = this.#of(model);
    recent.observe(ms / 1000);
    recent.increment();
    recent.ms[recent.count % recentMax] = ms;
    recent.count += 1;
    recent.rows += took.rows;
    recent.inputMs += took.inputMs;
    recent.inferMs += took.inferMs;
    recent.outputMs += took.outputMs;
    recent.lastTimeMs = timeMs;
  }

  /** A request that a loaded model did not answer. */
  failed(model: string, ms: number): void {
    const recent = this.#of(model);
    recent.failed += 1;
    recent.failedMs += ms;
  }

  #of(model: string): Recent {
    let recent = this.#recent.get(model);
    if (!recent) {
      if (this.#recent.size >= modelsMax) this.#recent.delete(this.#recent.keys().next().value!);
      recent = {
        ...noTotals,
        ms: new Float64Array(recentMax),
        observe: this.#duration.of({ model }),
        increment: this.#requests.of({ model, outcome: 'ok' }),
      };
      this.#recent.set(model, recent);
    }
    return recent;
  }

  refused(outcome: string): void {
    this.#requests.increment({ outcome });
  }

  /** Requests and their times in all, for statistics of the protocol; `undefined`: the model was not asked yet. */
  totals(model: string): Totals | undefined {
    return this.#recent.get(model);
  }

  /** Of the newest requests. */
  quantiles(model: string): { p50Ms: number; p99Ms: number } {
    const recent = this.#recent.get(model);
    if (!recent || recent.count === 0) return { p50Ms: 0, p99Ms: 0 };
    const sorted = recent.ms.slice(0, Math.min(recent.count, recentMax)).sort();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  /** Writes the gauges. */
  measure(): void {
    for (const model of this.#recent.keys()) {
      const { p50Ms, p99Ms } = this.quantiles(model);
      this.#quantiles.set(p50Ms / 1000, { model, quantile: '0.5' });
      this.#quantiles.set(p99Ms / 1000, { model, quantile: '0.99' });
    }
  }
}
