/** Upper bounds in seconds of the request duration histogram; +Inf is implied. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How many destinations are told apart; further ones are counted together as `other`. */
export const destinationsMax = 200;

/** Requests to one destination with one outcome since the last report. */
export interface TelemetryRow {
  /** `name.namespace`, a granted host, or `other`. */
  destination: string;
  /** The HTTP status, or 0 where no response came. */
  status: number;
  count: number;
  seconds: number;
  /** Not cumulative: how many durations fell into each bucket of `durationBuckets`, and beyond the last. */
  buckets: number[];
}

/** Counts requests in the caller's process; `take` hands over what was counted and starts anew. */
export class Telemetry {
  #rows = new Map<string, TelemetryRow>();
  #destinations = new Set<string>();

  observe(destination: string, status: number, seconds: number): void {
    const known = this.#admit(destination);
    const key = `${known} ${status}`;
    let row = this.#rows.get(key);
    if (!row) {
      const buckets = new Array<number>(durationBuckets.length + 1).fill(0);
      row = { destination: known, status, count: 0, seconds: 0, buckets };
      this.#rows.set(key, row);
    }
    row.count += 1;
    row.seconds += seconds;
    const bucket = durationBuckets.findIndex((bound) => seconds <= bound);
    const at = bucket < 0 ? durationBuckets.length : bucket;
    row.buckets[at] = (row.buckets[at] ?? 0) + 1;
  }

  take(): TelemetryRow[] {
    const rows = [...this.#rows.values()];
    this.#rows.clear();
    return rows;
  }

  #admit(destination: string): string {
    if (this.#destinations.has(destination)) return destination;
    if (this.#destinations.size >= destinationsMax) return 'other';
    this.#destinations.add(destination);
    return destination;
  }
}
