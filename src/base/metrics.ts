type Labels = Record<string, string>;

/** Counters, gauges and histograms in Prometheus' text exposition format 0.0.4. */
export class Metrics {
  #families = new Map<string, Family>();

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

  expose(): string {
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
}

export class Gauge {
  #family: Family;

  constructor(family: Family) {
    this.#family = family;
  }

  set(value: number, labels: Labels = {}): void {
    this.#family.samples.set(this.#family.name + show(labels), value);
  }
}

export class Histogram {
  #family: Family;
  #buckets: number[];
  /** The sample keys of each set of labels: building them takes longer than counting. */
  #keys = new Map<string, { buckets: string[]; all: string; sum: string; count: string }>();

  constructor(family: Family, buckets: number[]) {
    this.#family = family;
    this.#buckets = buckets;
  }

  observe(value: number, labels: Labels = {}): void {
    const keys = this.#keysOf(labels);
    for (const [index, bound] of this.#buckets.entries()) {
      this.#family.add(keys.buckets[index]!, value <= bound ? 1 : 0);
    }
    this.#family.add(keys.all, 1);
    this.#family.add(keys.sum, value);
    this.#family.add(keys.count, 1);
  }

  /** Adds what another process observed: how many values fell into each bucket (not cumulative), the last one beyond all bounds. */
  merge(counts: number[], sum: number, labels: Labels = {}): void {
    const keys = this.#keysOf(labels);
    let total = 0;
    for (const [index, key] of [...keys.buckets, keys.all].entries()) {
      total += counts[index] ?? 0;
      this.#family.add(key, total);
    }
    this.#family.add(keys.sum, sum);
    this.#family.add(keys.count, total);
  }

  #keysOf(labels: Labels) {
    const shown = show(labels);
    let keys = this.#keys.get(shown);
    if (!keys) {
      const { name } = this.#family;
      const bucket = (le: string) => `${name}_bucket${show({ ...labels, le })}`;
      keys = {
        buckets: this.#buckets.map((bound) => bucket(String(bound))),
        all: bucket('+Inf'),
        sum: `${name}_sum${shown}`,
        count: `${name}_count${shown}`,
      };
      this.#keys.set(shown, keys);
    }
    return keys;
  }
}

function show(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}
