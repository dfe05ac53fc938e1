import type { Metrics } from '../../base/metrics.ts';
import type { PriorityLevel, Refusal } from './priority-level.ts';

const waitBucketsSeconds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

/** What became of the requests of one flow schema: plain numbers, which become samples when somebody asks for them. */
export class FlowCounts {
  readonly schema: string;
  readonly level: string;
  dispatched = 0;
  readonly rejected: Partial<Record<Refusal, number>> = {};
  /** Waits that nobody has asked for yet, by whether they ended well. */
  #waits: [seconds: number, executed: boolean][] = [];

  constructor(schema: string, level: string) {
    this.schema = schema;
    this.level = level;
  }

  waited(seconds: number, executed: boolean): void {
    if (this.#waits.length < waitsKeptMax) this.#waits.push([seconds, executed]);
  }

  takeWaits(): [seconds: number, executed: boolean][] {
    const taken = this.#waits;
    this.#waits = [];
    return taken;
  }
}

/** Waits that are kept between two looks at the metrics. */
const waitsKeptMax = 10_000;

interface Source {
  flows(): Iterable<FlowCounts>;
  levels(): Iterable<{ name: string; seats: PriorityLevel }>;
}

/** The metrics of flow control, by kube-apiserver's names. */
export function exposeFlowMetrics(metrics: Metrics, { flows, levels }: Source): void {
  const name = (text: string) => `apiserver_flowcontrol_${text}`;
  const dispatched = metrics.counter(name('dispatched_requests_total'), 'Requests that were let in.');
  const rejected = metrics.counter(name('rejected_requests_total'), 'Requests that were refused, and why.');
  const waits = metrics.histogram(
    name('request_wait_duration_seconds'),
    'How long requests waited that found no seat at once.',
    waitBucketsSeconds,
  );
  const gauges = {
    current_inqueue_requests: ['Requests that wait.', (level: PriorityLevel) => level.waitingCount],
    current_executing_requests: ['Requests under way.', (level: PriorityLevel) => level.executing],
    current_executing_seats: ['Seats in use.', (level: PriorityLevel) => level.seatsInUse],
    nominal_limit_seats: ['Seats of its own.', ({ limits }: PriorityLevel) => limits.nominalSeats],
    lower_limit_seats: [
      'Seats that it never lends.',
      ({ limits }: PriorityLevel) => limits.nominalSeats - limits.lendableSeats,
    ],
    upper_limit_seats: [
      'Seats that it has with all that it may borrow.',
      ({ limits }: PriorityLevel) => limits.nominalSeats + limits.borrowableSeats,
    ],
  } as const;
  const shown = Object.entries(gauges).map(
    ([key, [help, read]]) => [metrics.gauge(name(key), help), read] as const,
  );
  metrics.beforeExposing(() => {
    for (const flow of flows()) {
      const labels = { flow_schema: flow.schema, priority_level: flow.level };
      dispatched.setTotal(flow.dispatched, labels);
      for (const [reason, count] of Object.entries(flow.rejected))
        rejected.setTotal(count, { ...labels, reason });
      for (const [seconds, execute] of flow.takeWaits()) {
        waits.observe(seconds, { execute: String(execute), ...labels });
      }
    }
    for (const { name: level, seats } of levels()) {
      for (const [gauge, read] of shown) gauge.set(read(seats), { priority_level: level });
    }
  });
}
