import type { Counter, Gauge, Histogram, Metrics } from '../base/metrics.ts';

/** Requests that the quantiles are of. */
export const recentMax = 1024;
/** Names come from loaded models only, but those come and go. */
const modelsMax = 256;

interface Recent {
  ms: Float64Array;
  count: number;
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

  record(model: string, ms: number): void {
    let recent = this.#recent.get(model);
    if (!recent) {
      if (this.#recent.size >= modelsMax) this.#recent.delete(this.#recent.keys().next().value!);
      recent = {
        ms: new Float64Array(recentMax),
        count: 0,
        observe: this.#duration.of({ model }),
        increment: this.#requests.of({ model, outcome: 'ok' }),
      };
      this.#recent.set(model, recent);
    }
    recent.observe(ms / 1000);
    recent.increment();
    recent.ms[recent.count % recentMax] = ms;
    recent.count += 1;
  }

  refused(outcome: string): void {
    this.#requests.increment({ outcome });
  }

  /** Requests and their times in all, for statistics of the protocol. */
  totals(model: string): { count: number; p50Ms: number; p99Ms: number } {
    const recent = this.#recent.get(model);
    if (!recent) return { count: 0, p50Ms: 0, p99Ms: 0 };
    const sorted = recent.ms.slice(0, Math.min(recent.count, recentMax)).sort();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
    return { count: recent.count, p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  /** Writes the gauges. */
  measure(): void {
    for (const model of this.#recent.keys()) {
      const { p50Ms, p99Ms } = this.totals(model);
      this.#quantiles.set(p50Ms / 1000, { model, quantile: '0.5' });
      this.#quantiles.set(p99Ms / 1000, { model, quantile: '0.99' });
    }
  }
}
