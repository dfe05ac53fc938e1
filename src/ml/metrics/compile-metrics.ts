import { type Each, eachOf } from '../by-name.ts';
import { startsOf, type Term, targetWidth } from '../losses/objective.ts';
import type { OutputPart } from './answers.ts';
import { type Metric, type MetricSpec, resolveMetrics } from './metric.ts';

/** Metrics of the only output, or for each output one or several, in their order or by name. */
export type Metrics = readonly Metric[] | Each<Metric | readonly Metric[] | null>;

interface Asked {
  metrics?: Metrics | undefined;
  weightedMetrics?: Metrics | undefined;
}

/** The figures to count: of several outputs the loss of each and its metrics, by Keras' names (`a_loss`,
 * `a_accuracy`). Without `metrics` a single output has its accuracy, several have none.
 * @throws Error where metrics and outputs do not fit. */
export function compileMetrics(
  names: readonly string[],
  terms: readonly Term[],
  { metrics, weightedMetrics }: Asked,
): MetricSpec[] {
  if (names.length === 1) {
    const [{ loss, width, name }] = terms as [Term];
    const plain = metrics === undefined ? (['accuracy'] as const) : ofOnly(name, metrics, 'metrics');
    return resolveMetrics(plain, ofOnly(name, weightedMetrics ?? [], 'weightedMetrics'), loss, width);
  }
  const plain = ofEach(names, metrics, 'metrics');
  const weighted = ofEach(names, weightedMetrics, 'weightedMetrics');
  const parts = partsOf(terms);
  const losses = terms.map(({ name }, term): MetricSpec => {
    return { kind: 'outputLoss', name: `${name}_loss`, part: parts[term]! };
  });
  const figures = names.flatMap((name, output) => {
    const index = terms.findIndex((term) => term.output === output);
    if (index < 0) {
      if (plain[output]!.length + weighted[output]!.length === 0) return [];
      throw new RangeError(
        `compile: "${name}" has metrics but no loss: only outputs with a loss have figures`,
      );
    }
    const { loss, width } = terms[index]!;
    const specs = resolveMetrics(plain[output]!, weighted[output]!, loss, width);
    return specs.map((spec) => ({ ...spec, name: `${name}_${spec.name}`, part: parts[index]! }));
  });
  return [...(terms.length > 1 ? losses : []), ...figures];
}

function partsOf(terms: readonly Term[]): OutputPart[] {
  const outputs = startsOf(terms.map(({ width }) => width));
  const targets = startsOf(terms.map(targetWidth));
  return terms.map((term, index) => ({
    index,
    output: { start: outputs[index]!, width: term.width },
    target: { start: targets[index]!, width: targetWidth(term) },
    isClasses: term.loss.targets === 'classes',
  }));
}

function ofEach(names: readonly string[], given: Metrics | undefined, what: string): (readonly Metric[])[] {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return names.map(() => []);
  const hint = ': give a list for each output, or { name: […] } for all of them';
  const all: Each<Metric | readonly Metric[] | null> = isByName(given) ? withAll(names, given) : given;
  return eachOf(names, all, `compile (${what})`, hint).map((each) => {
    if (each === null) return [];
    return isList(each) ? each : [each];
  });
}

/** Outputs that are not named have none. */
const withAll = <T>(names: readonly string[], given: Readonly<Record<string, T>>) => ({
  ...Object.fromEntries(names.map((name) => [name, null])),
  ...given,
});

/** As Keras, one output takes its metrics also in a list of their own, or by its name. */
function ofOnly(name: string, given: Metrics, what: string): readonly Metric[] {
  if (isByName(given) || given.some((each) => each === null || isList(each)))
    return ofEach([name], given, what)[0]!;
  // The line above has sent all lists that hold anything but metrics.
  return given as readonly Metric[];
}

const isByName = (given: Metrics): given is Readonly<Record<string, Metric | readonly Metric[] | null>> =>
  !Array.isArray(given);

const isList = (given: Metric | readonly Metric[] | null): given is readonly Metric[] => Array.isArray(given);
