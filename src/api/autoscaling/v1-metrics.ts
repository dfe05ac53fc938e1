type Fields = Record<string, unknown>;
/** What a metric aims at, or how it stands. */
type Part = 'target' | 'current';

const fieldOf = (type: unknown) => `${String(type).charAt(0).toLowerCase()}${String(type).slice(1)}`;
const named = (part: Part, what: string) => `${part}${what}`;

/** A metric, or its status, of autoscaling/v2 in the form that autoscaling/v1 keeps in annotations. */
export function toOldMetric(metric: Fields, part: Part): Fields {
  const field = fieldOf(metric.type);
  const source = (metric[field] ?? {}) as Fields;
  const { averageUtilization, averageValue, value } = (source[part] ?? {}) as Fields;
  const { name: metricName, selector } = (source.metric ?? {}) as Fields;
  const old: Fields = {
    name: source.name,
    container: source.container,
    target: source.describedObject,
    metricName,
    [field === 'external' ? 'metricSelector' : 'selector']: selector,
    [named(part, 'Value')]: value,
    [named(part, 'AverageUtilization')]: averageUtilization,
    [field === 'object' ? 'averageValue' : named(part, 'AverageValue')]: averageValue,
  };
  return { type: metric.type, [field]: withoutAbsent(old) };
}

/** The other way round. */
export function fromOldMetric(metric: Fields, part: Part): Fields {
  const field = fieldOf(metric.type);
  const old = (metric[field] ?? {}) as Fields;
  const averageValue = field === 'object' ? old.averageValue : old[named(part, 'AverageValue')];
  const averageUtilization = old[named(part, 'AverageUtilization')];
  const value = old[named(part, 'Value')];
  const type =
    averageUtilization !== undefined ? 'Utilization' : averageValue !== undefined ? 'AverageValue' : 'Value';
  const selector = field === 'external' ? old.metricSelector : old.selector;
  const source: Fields = {
    name: old.name,
    container: old.container,
    describedObject: old.target,
    metric: old.metricName === undefined ? undefined : withoutAbsent({ name: old.metricName, selector }),
    [part]: withoutAbsent({
      type: part === 'target' ? type : undefined,
      averageUtilization,
      averageValue,
      value,
    }),
  };
  return { type: metric.type, [field]: withoutAbsent(source) };
}

function withoutAbsent(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Go wrote the behavior of autoscaling/v1 with capital letters, and that is how it stayed. */
export function capitalized(value: unknown): unknown {
  return renamed(value, (name) => name.charAt(0).toUpperCase() + name.slice(1));
}

export function uncapitalized(value: unknown): unknown {
  return renamed(value, (name) => name.charAt(0).toLowerCase() + name.slice(1));
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [rename(name), renamed(one, rename)]));
}
