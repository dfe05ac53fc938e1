import type { FlowSchema } from '../../api/kinds/flowSchema.ts';
import { flowSchema } from '../../api/kinds/flowSchema.ts';
import {
  type PriorityLevelConfiguration,
  priorityLevelConfiguration,
} from '../../api/kinds/priorityLevelConfiguration.ts';
import { StatusError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Store } from '../../store/store.ts';
import { HeldObjects } from '../held-objects.ts';
import type { ResourceInfo } from '../request-info.ts';
import { prefixOf } from '../stored.ts';
import type { User } from '../user.ts';
import { DroppedRequests } from './dropped-requests.ts';
import { limitsOf } from './level-limits.ts';
import { isMatched } from './match.ts';
import { exposeFlowMetrics, FlowCounts } from './metrics.ts';
import { type Admitted, PriorityLevel, type Refusal } from './priority-level.ts';
import { widthOf } from './width.ts';

/** Requests that are answered at a time, of all levels together; Kubernetes' own sum of reads and writes. */
export const seatsTotal = 600;
/** A changed configuration holds after so long at most. */
const configurationAgeMsMax = 20;
/** How many objects there are of a resource is counted anew after so long. */
const countAgeMsMax = 1000;

/** A request as flow control sees it. */
export interface Classified {
  user: User;
  verb: string;
  path: string;
  query: URLSearchParams;
  resource: ResourceInfo | undefined;
  signal: AbortSignal;
}

/** What a request was found to be, for the headers of its answer. */
export interface Classification {
  flowSchemaUid: string;
  priorityLevelUid: string;
}

interface Level {
  name: string;
  uid: string;
  isExempt: boolean;
  seats: PriorityLevel;
  dropped: DroppedRequests;
}

interface Flow {
  schema: FlowSchema;
  level: Level;
  counts: FlowCounts;
}

const nothing: Admitted = { release: () => {} };

/**
 * API Priority and Fairness: finds the flow schema of a request and lets it in when its priority level has a seat.
 * Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
 */
export class FlowControl {
  readonly #store: Store;
  readonly #schemas: HeldObjects<FlowSchema>;
  readonly #configurations: HeldObjects<PriorityLevelConfiguration>;
  readonly #now: () => number;
  #flows: Flow[] = [];
  readonly #levels = new Map<string, Level>();
  readonly #counts = new Map<string, FlowCounts>();
  #version = '';
  #checkedMs = Number.NEGATIVE_INFINITY;
  #objectCounts = new Map<string, { count: number; atMs: number }>();

  constructor(options: { store: Store; log: Log; metrics: Metrics; now?: () => number }) {
    this.#store = options.store;
    this.#now = options.now ?? (() => performance.now());
    this.#schemas = new HeldObjects(options, flowSchema);
    this.#configurations = new HeldObjects(options, priorityLevelConfiguration);
    exposeFlowMetrics(options.metrics, {
      flows: () => this.#counts.values(),
      levels: () => [...this.#levels.values()].filter(({ isExempt }) => !isExempt),
    });
  }

  /**
   * Lets a request in; `classify` is told first what it was found to be. Throws TooManyRequests where there is no seat
   * for it in time.
   */
  admit(asked: Classified, classify: (found: Classification) => void): Admitted | Promise<Admitted> {
    this.#refresh();
    const flow = this.#flows.find(({ schema }) => isMatched(schema, asked));
    // Before the cluster has any configuration, and for whom none is meant.
    if (!flow) return nothing;
    const { schema, level, counts } = flow;
    classify({ flowSchemaUid: schema.metadata?.uid ?? '', priorityLevelUid: level.uid });
    if (level.isExempt) {
      counts.dispatched += 1;
      return nothing;
    }
    const seats = widthOf(asked.resource, asked.query, {
      levelSeats: level.seats.limits.nominalSeats,
      count: (info) => this.#countOf(info),
    });
    const outcome = level.seats.admit(flowName(schema, asked), seats, asked.signal);
    if (!(outcome instanceof Promise)) return admitted(flow, outcome);
    const startMs = this.#now();
    return outcome.then((settled) => {
      counts.waited((this.#now() - startMs) / 1000, typeof settled !== 'string');
      return admitted(flow, settled);
    });
  }

  #refresh(): void {
    const nowMs = this.#now();
    if (nowMs - this.#checkedMs < configurationAgeMsMax) return;
    this.#checkedMs = nowMs;
    const version = `${this.#schemas.version}/${this.#configurations.version}`;
    if (version === this.#version) return;
    this.#version = version;
    this.#refreshLevels(this.#configurations.all());
    this.#flows = this.#schemas
      .all()
      .sort(byPrecedence)
      .flatMap((schema) => {
        const level = this.#levels.get(schema.spec?.priorityLevelConfiguration.name ?? '');
        return level ? [{ schema, level, counts: this.#countsOf(schema.metadata!.name!, level.name) }] : [];
      });
  }

  /** A level that is changed keeps what it has under way; one that is gone ends with it. */
  #refreshLevels(configurations: readonly PriorityLevelConfiguration[]): void {
    const limits = limitsOf(configurations, seatsTotal);
    for (const configuration of configurations) {
      const name = configuration.metadata!.name!;
      const uid = configuration.metadata?.uid ?? '';
      const isExempt = configuration.spec?.type === 'Exempt';
      const known = this.#levels.get(name);
      if (known) {
        known.seats.limits = limits.get(name)!;
        Object.assign(known, { uid, isExempt });
        continue;
      }
      const spareSeats = () => this.#spareSeats(name);
      const seats = new PriorityLevel(limits.get(name)!, { now: this.#now, spareSeats });
      this.#levels.set(name, { name, uid, isExempt, seats, dropped: new DroppedRequests(this.#now) });
    }
    for (const name of this.#levels.keys()) if (!limits.has(name)) this.#levels.delete(name);
    for (const { seats } of this.#levels.values()) seats.dispatch();
  }

  /** What the other levels lend and nobody has borrowed yet. */
  #spareSeats(borrower: string): number {
    let spare = 0;
    for (const { name, seats } of this.#levels.values()) {
      if (name !== borrower) spare += seats.seatsToLend;
      spare -= seats.seatsBorrowed;
    }
    return spare;
  }

  #countsOf(schema: string, level: string): FlowCounts {
    const key = `${schema}/${level}`;
    const counts = this.#counts.get(key) ?? new FlowCounts(schema, level);
    this.#counts.set(key, counts);
    return counts;
  }

  #countOf(info: ResourceInfo): number {
    const prefix = prefixOf({ group: info.group, plural: info.resource }, info.namespace);
    const nowMs = this.#now();
    const known = this.#objectCounts.get(prefix);
    if (known && nowMs - known.atMs < countAgeMsMax) return known.count;
    // Paths come from clients: what they name must not pile up.
    if (this.#objectCounts.size >= countsKeptMax) this.#objectCounts.clear();
    const { items, remaining } = this.#store.list(prefix, { limit: 1 });
    const count = items.length + remaining;
    this.#objectCounts.set(prefix, { count, atMs: nowMs });
    return count;
  }
}

const countsKeptMax = 1000;

function admitted({ level, counts }: Flow, outcome: Admitted | Refusal): Admitted {
  if (typeof outcome !== 'string') {
    counts.dispatched += 1;
    return outcome;
  }
  counts.rejected[outcome] = (counts.rejected[outcome] ?? 0) + 1;
  level.dropped.record();
  throw new StatusError('TooManyRequests', 'Too many requests, please try again later.', {
    details: { retryAfterSeconds: level.dropped.retryAfterSeconds },
  });
}

/** Requests of one flow wait behind each other. */
function flowName({ metadata, spec }: FlowSchema, { user, resource }: Classified): string {
  const method = spec?.distinguisherMethod?.type;
  const distinguisher =
    method === 'ByUser' ? user.name : method === 'ByNamespace' ? (resource?.namespace ?? '') : '';
  return `${metadata!.name}\n${distinguisher}`;
}

function byPrecedence(a: FlowSchema, b: FlowSchema): number {
  const order = (a.spec?.matchingPrecedence ?? 0) - (b.spec?.matchingPrecedence ?? 0);
  return order !== 0 ? order : a.metadata!.name! < b.metadata!.name! ? -1 : 1;
}
