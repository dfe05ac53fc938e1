type Labels = Record<string, string>;

/** Counters, gauges and histograms in Prometheus' text exposition format 0.0.4. */
export class Metrics {
  #families = new Map<string, Family>();
  #collectors: (() => void)[] = [];

  counter(name: string, help: string): Counter {
    return this.#family(name, help, 'counter', (family) => new Counter(family)) as Counter;
  }

  gauge(name: string, help: string): Gauge {
    return this.#family(name, help, 'gauge', (family) => new Gauge(family)) as Gauge;
  }

  /** `buckets` are upper bounds in the unit that the name ends in, ascending; +Inf is added. */
  histogram(name: string, help: string, buckets: number[]): Histogram {
    return this.#family(name, help, 'histogram', (family) => new Histogram(family, buckets)) as Histogram;
  }

  /** Called before every look: for what is counted elsewhere, as plain numbers, where counting must cost nothing. */
  beforeExposing(collect: () => void): void {
    this.#collectors.push(collect);
  }

  expose(): string {
    for (const collect of this.#collectors) collect();
    return [...this.#families.values()].map((family) => family.expose()).join('');
  }

  #family(name: string, help: string, type: string, create: (family: Family) => Metric): Metric {
    let family = this.#families.get(name);
    if (!family) {
      family = new Family(name, help, type);
      family.metric = create(family);
      this.#families.set(name, family);
    }
    return family.metric!;
  }
}

type Metric = Counter | Gauge | Histogram;

class Family {
  readonly samples = new Map<string, number>();
  /** Writes samples that a metric keeps in a form of its own. */
  collect: (() => void) | undefined;
  metric: Metric | undefined;
  readonly name: string;
  readonly help: string;
  readonly type: string;

  constructor(name: string, help: string, type: string) {
    this.name = name;
    this.help = help;
    this.type = type;
  }

  add(key: string, by: number): void {
    this.samples.set(key, (this.samples.get(key) ?? 0) + by);
  }

  expose(): string {
    this.collect?.();
    const lines = [...this.samples].map(([key, value]) => `${key} ${value}\n`);
    return `# HELP ${this.name} ${this.help}\n# TYPE ${this.name} ${this.type}\n${lines.join('')}`;
  }
}

export class Counter {
  #family: Family;

  constructor(family: Family) {
    this.#family = family;
  }

  increment(labels: Labels = {}, by = 1): void {
    this.#family.add(this.#family.name + show(labels), by);
  }

  /** `increment` for these labels: their text is made once. */
  of(labels: Labels): () => void {
    const key = this.#family.name + show(labels);
    return () => this.#family.add(key, 1);
  }

  /** Takes over a number that was counted elsewhere and only grows. */
  setTotal(total: number, labels: Labels = {}): void {
    this.#family.samples.set(this.#family.name + show(labels), total);
  }
}

export class Gauge {
  #family: Family;

  constructor(family: Family) {
    this.#family = family;
  }

  set(value: number, labels: Labels = {}): void {
    this.#family.samples.set(this.#family.name + show(labels), value);
  }

  /** For what is no longer there. */
  remove(labels: Labels): void {
    this.#family.samples.delete(this.#family.name + show(labels));
  }
}

/** The observations of one set of labels; the samples' names are made once, since that takes longer than counting. */
interface Series {
  /** Of each bucket alone, the last one beyond all bounds. */
  counts: number[];
  sum: number;
  names: { buckets: string[]; sum: string; count: string };
}

export class Histogram {
  #family: Family;
  #buckets: number[];
  #series = new Map<string, Series>();

  constructor(family: Family, buckets: number[]) {
    this.#family = family;
    this.#buckets = buckets;
    family.collect = () => this.#collect();
  }

  observe(value: number, labels: Labels = {}): void {
    this.#observe(this.#seriesOf(labels), value);
  }

  /** `observe` for these labels: their text is made once. */
  of(labels: Labels): (value: number) => void {
    const series = this.#seriesOf(labels);
    return (value) => this.#observe(series, value);
  }

  #observe(series: Series, value: number): void {
    let bucket = 0;
    // Negated, so that NaN falls beyond all bounds.
    while (bucket < this.#buckets.length && !(value <= this.#buckets[bucket]!)) bucket += 1;
    series.counts[bucket]! += 1;
    series.sum += value;
  }

  /** Adds what another process observed: how many values fell into each bucket (not cumulative), the last one beyond all bounds. */
  merge(counts: number[], sum: number, labels: Labels = {}): void {
    const series = this.#seriesOf(labels);
    for (const bucket of series.counts.keys()) series.counts[bucket]! += counts[bucket] ?? 0;
    series.sum += sum;
  }

  #collect(): void {
    const { samples } = this.#family;
    for (const { counts, sum, names } of this.#series.values()) {
      let total = 0;
      for (const [bucket, name] of names.buckets.entries()) {
        total += counts[bucket]!;
        samples.set(name, total);
      }
      samples.set(names.sum, sum);
      samples.set(names.count, total);
    }
  }

  #seriesOf(labels: Labels): Series {
    const shown = show(labels);
    let series = this.#series.get(shown);
    if (!series) {
      const { name } = this.#family;
      const bounds = [...this.#buckets.map(String), '+Inf'];
      const names = {
        buckets: bounds.map((le) => `${name}_bucket${show({ ...labels, le })}`),
        sum: `${name}_sum${shown}`,
        count: `${name}_count${shown}`,
      };
      series = { counts: bounds.map(() => 0), sum: 0, names };
      this.#series.set(shown, series);
    }
    return series;
  }
}

/** Counts what a histogram is to show, as plain numbers, where every request counts. */
export class Tally {
  readonly #buckets: readonly number[];
  #counts: number[];
  #sum = 0;

  /** `buckets` as those of the histogram. */
  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
    this.#counts = new Array(buckets.length + 1).fill(0);
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.#buckets.length && value > this.#buckets[index]!) index += 1;
    this.#counts[index]! += 1;
    this.#sum += value;
  }

  /** Adds what was counted since the last time to the histogram. */
  moveTo(histogram: Histogram, labels: Labels): void {
    histogram.merge(this.#counts, this.#sum, labels);
    this.#counts.fill(0);
    this.#sum = 0;
  }
}

function show(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}
