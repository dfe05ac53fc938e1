import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { compiledRules } from '../compiled-rules.ts';
import { itemsOf, type JsonSchema, restOf } from '../json-schema.ts';

/** What one rule may cost at most, and all rules of a schema together, by Kubernetes' estimate. */
export const ruleCostMax = 10_000_000;
export const schemaCostMax = 100_000_000;
const requestBytesMax = 3 * 1024 * 1024;

/** Where a rule stands: how often it runs, and whether what it is about can be told apart in two revisions. */
interface Place {
  /** Undefined where nothing but the size of a request bounds it. */
  times: number | undefined;
  isResource: boolean;
  uncorrelatable: Path | undefined;
}

/** Reports rules that do not compile, cost too much, or speak of `oldSelf` where there is none. */
export function checkRules(schema: JsonSchema, at: Path, report: Report): void {
  const costs: { path: Path; cost: number }[] = [];
  visit(schema, at, report, { times: 1, isResource: true, uncorrelatable: undefined }, costs);
  const total = costs.reduce((sum, { cost }) => sum + cost, 0);
  if (total <= schemaCostMax) return;
  for (const { path } of costs.sort((a, b) => b.cost - a.cost).slice(0, 4)) {
    report.forbidden(
      path,
      'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
    );
  }
  const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
  report.forbidden(at, tooDear(what, total, schemaCostMax));
}

function visit(
  schema: JsonSchema,
  at: Path,
  report: Report,
  place: Place,
  costs: { path: Path; cost: number }[],
): void {
  checkOwn(schema, at, report, place, costs);
  const below = (
    inner: JsonSchema,
    most: number | null = 1,
    uncorrelatable = place.uncorrelatable,
  ): Place => ({
    times: place.times === undefined || most === null ? undefined : place.times * most,
    isResource: inner['x-kubernetes-embedded-resource'] === true,
    uncorrelatable,
  });
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    visit(property, at.child('properties').key(name), report, below(property), costs);
  }
  const rest = restOf(schema);
  if (rest)
    visit(rest, at.child('additionalProperties'), report, below(rest, schema.maxProperties ?? null), costs);
  const items = itemsOf(schema);
  if (items) {
    const isKeyed = schema['x-kubernetes-list-type'] === 'map';
    const uncorrelatable = isKeyed ? place.uncorrelatable : (place.uncorrelatable ?? at);
    visit(items, at.child('items'), report, below(items, schema.maxItems ?? null, uncorrelatable), costs);
  }
}

/** The fewest bytes that a value takes in JSON: so many of them fit into a request. */
function bytesMinOf(schema: JsonSchema | undefined): number {
  if (schema?.type === 'boolean') return 4;
  if (schema?.type !== 'object') return schema?.type === 'integer' || schema?.type === 'number' ? 1 : 2;
  const required = (schema.required ?? []).filter((name) => schema.properties?.[name]?.default === undefined);
  return required.reduce((sum, name) => sum + name.length + bytesMinOf(schema.properties?.[name]) + 4, 2);
}

function checkOwn(
  schema: JsonSchema,
  at: Path,
  report: Report,
  { times, isResource, uncorrelatable }: Place,
  costs: { path: Path; cost: number }[],
): void {
  const count = times ?? Math.floor(requestBytesMax / (bytesMinOf(schema) + 1));
  for (const [index, compiled] of (compiledRules(schema, isResource)?.rules ?? []).entries()) {
    const ruleAt = at.child('x-kubernetes-validations').index(index);
    const { rule, program, message } = compiled;
    if (compiled.error !== undefined) report.invalid(ruleAt.child('rule'), rule, compiled.error);
    if (compiled.messageError !== undefined) {
      report.invalid(ruleAt.child('messageExpression'), rule, compiled.messageError);
    }
    for (const [part, what, made] of [
      ['rule', 'estimated rule cost', program],
      ['messageExpression', 'estimated messageExpression cost', message],
    ] as const) {
      if (!made) continue;
      const cost = made.estimatedCost.max === 0 ? 0 : made.estimatedCost.max * count;
      const path = ruleAt.child(part);
      if (cost > ruleCostMax) report.forbidden(path, tooDear(what, cost, ruleCostMax));
      costs.push({ path, cost });
    }
    if (compiled.usesOldSelf && uncorrelatable) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable.text}`;
      report.invalid(ruleAt.child('rule'), rule.rule, why);
    } else if (program && !compiled.usesOldSelf && rule.optionalOldSelf !== undefined) {
      const why = 'may not be set if oldSelf is not used in rule';
      report.invalid(ruleAt.child('optionalOldSelf'), rule.optionalOldSelf, why);
    }
  }
}

function tooDear(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const times =
    factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  const advice =
    'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared';
  return `${what} exceeds budget by factor of ${times} (${advice})`;
}
