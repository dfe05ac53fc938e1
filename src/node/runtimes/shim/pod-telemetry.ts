import { Metrics } from '../../../base/metrics.ts';
import { durationBuckets, type TelemetryRow } from '../../../mesh/telemetry.ts';
import type { Container } from './container.ts';

/** How many label sets are kept; beyond that, destinations are counted as `other`. */
export const seriesMax = 2_000;

/** Adds up what pods report of their requests, under the names that Istio uses for them. */
export class PodTelemetry {
  readonly #metrics = new Metrics();
  readonly #series = new Set<string>();
  readonly #requests = this.#metrics.counter('istio_requests_total', 'Requests that pods of this node sent.');
  readonly #durations = this.#metrics.histogram(
    'istio_request_duration_milliseconds',
    'Time from sending a request to the end of its response.',
    durationBuckets.map((seconds) => seconds * 1000),
  );

  add(source: Container, rows: TelemetryRow[]): void {
    for (const row of rows) {
      const labels = this.#labelsOf(source, row);
      this.#requests.increment(labels, row.count);
      this.#durations.merge(row.buckets, row.seconds * 1000, labels);
    }
  }

  expose(): string {
    return this.#metrics.expose();
  }

  #labelsOf({ spec }: Container, row: TelemetryRow): Record<string, string> {
    const { pod } = spec;
    const labels = (destination: string) => ({
      reporter: 'source',
      source_app: pod.labels['app.kubernetes.io/name'] ?? pod.labels.app ?? 'unknown',
      source_workload_namespace: pod.namespace,
      destination_service: destination,
      response_code: String(row.status),
    });
    const exact = labels(row.destination);
    const key = JSON.stringify(exact);
    if (!this.#series.has(key) && this.#series.size >= seriesMax) return labels('other');
    this.#series.add(key);
    return exact;
  }
}
