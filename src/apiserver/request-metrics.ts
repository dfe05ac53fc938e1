import { type Metrics, Tally } from '../base/metrics.ts';
import type { ApiRequest } from '../client/transport.ts';
import type { Store } from '../store/store.ts';
import type { Resource } from './context.ts';
import { groupResource } from './failures.ts';
import { type ResourceInfo, readResourceInfo } from './request-info.ts';
import { prefixOf } from './stored.ts';

const durationBucketsSeconds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
/** Objects are counted anew when they are asked for after so long. */
const countAgeMs = 10_000;

type Labels = Record<string, string>;

interface Series {
  labels: Labels;
  /** Requests by code. */
  codes: Map<number, number>;
  seconds: Tally;
}

/** What is asked of the server, by kube-apiserver's names. Counting is plain numbers; text is made when somebody looks. */
export class RequestMetrics {
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #series = new Map<string, Series>();
  #mutating = 0;
  #reading = 0;

  constructor(
    metrics: Metrics,
    { resources, store }: { resources: ReadonlyMap<string, Resource>; store: Store },
  ) {
    this.#resources = resources;
    const requests = metrics.counter('apiserver_request_total', 'Requests by what they asked and got.');
    const seconds = metrics.histogram(
      'apiserver_request_duration_seconds',
      'Time until the answer began, of what does not stay open.',
      durationBucketsSeconds,
    );
    const inflight = metrics.gauge('apiserver_current_inflight_requests', 'Requests under way.');
    const stored = metrics.gauge('apiserver_storage_objects', 'Objects in the store, by resource.');
    let countedMs = Number.NEGATIVE_INFINITY;
    metrics.beforeExposing(() => {
      inflight.set(this.#mutating, { request_kind: 'mutating' });
      inflight.set(this.#reading, { request_kind: 'readOnly' });
      for (const { labels, codes, seconds: tally } of this.#series.values()) {
        for (const [code, count] of codes) requests.setTotal(count, { ...labels, code: String(code) });
        tally.moveTo(seconds, labels);
      }
      if (performance.now() - countedMs < countAgeMs) return;
      countedMs = performance.now();
      for (const { kind } of resources.values()) {
        if (kind.storedAs || !kind.verbs.includes('list')) continue;
        const { items, remaining } = store.list(prefixOf(kind), { limit: 1 });
        stored.set(items.length + remaining, { resource: groupResource(kind) });
      }
    });
  }

  /** A request has come; what it returns notes how it was answered. */
  begin(request: ApiRequest): (code: number) => void {
    // Not the clock that is passed in: a fake one stands still.
    const startMs = performance.now();
    const info = safeInfo(request);
    const isReading = info ? ['get', 'list', 'watch'].includes(info.verb) : request.method === 'GET';
    if (isReading) this.#reading += 1;
    else this.#mutating += 1;
    return (code) => {
      if (isReading) this.#reading -= 1;
      else this.#mutating -= 1;
      const series = this.#seriesOf(request, info);
      series.codes.set(code, (series.codes.get(code) ?? 0) + 1);
      if (info?.verb !== 'watch') series.seconds.observe((performance.now() - startMs) / 1000);
    };
  }

  /** Only what this server knows becomes a label, so that clients cannot make new time series. */
  #seriesOf(request: ApiRequest, info: ResourceInfo | undefined): Series {
    const resource = info && this.#resources.get(`${info.group}/${info.version}/${info.resource}`);
    const known = resource ? info : undefined;
    const verb = verbOf(request, info);
    const subresource =
      known?.subresource && knownSubresources.has(known.subresource) ? known.subresource : '';
    const scope = !known
      ? ''
      : known.name !== undefined
        ? 'resource'
        : known.namespace
          ? 'namespace'
          : 'cluster';
    const isDry = request.query.has('dryRun') ? 'All' : '';
    const key = `${verb}/${isDry}/${known?.group}/${known?.version}/${known?.resource}/${subresource}/${scope}`;
    let series = this.#series.get(key);
    if (!series) {
      const labels = {
        verb,
        dry_run: isDry,
        group: known?.group ?? '',
        version: known?.version ?? '',
        resource: known?.resource ?? '',
        subresource,
        scope,
        component: 'apiserver',
      };
      series = { labels, codes: new Map(), seconds: new Tally(durationBucketsSeconds) };
      this.#series.set(key, series);
    }
    return series;
  }
}

const knownSubresources = new Set([
  'approval',
  'attach',
  'binding',
  'ephemeralcontainers',
  'eviction',
  'exec',
  'finalize',
  'log',
  'portforward',
  'proxy',
  'scale',
  'status',
  'token',
]);
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

function verbOf({ method, headers }: ApiRequest, info: ResourceInfo | undefined): string {
  switch (info?.verb) {
    case 'list':
    case 'watch':
    case 'deletecollection':
      return info.verb.toUpperCase();
    case 'patch':
      return headers['content-type']?.startsWith('application/apply-patch') ? 'APPLY' : 'PATCH';
    default:
      return methods.has(method) ? method : 'other';
  }
}

function safeInfo(request: ApiRequest): ResourceInfo | undefined {
  try {
    return readResourceInfo(request);
  } catch {
    return undefined;
  }
}
