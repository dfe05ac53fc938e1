import type { StatusCause } from '../../base/errors.ts';
import type { CostBudget } from '../cel/index.ts';
import { Path } from '../path.ts';
import { cel, celValues } from './cel.ts';
import { type CompiledRule, type CompiledRules, compiledRules } from './compiled-rules.ts';
import { Correlated, previousItem } from './correlate.ts';
import { followFieldPath } from './definition/field-path.ts';
import {
  isObject,
  itemsOf,
  type JsonSchema,
  propertyOf,
  restOf,
  someSchema,
  type ValidationRule,
} from './json-schema.ts';

const messageBytesMax = 5 * 1024;

/** Whether a schema, or one inside it, has rules. */
export function hasRules(schema: JsonSchema): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    answer = someSchema(schema, (inner) => (inner['x-kubernetes-validations']?.length ?? 0) > 0);
    known.set(schema, answer);
  }
  return answer;
}
const known = new WeakMap<JsonSchema, boolean>();

/** What the rules in CEL find wrong with a value. Rules about transitions hold where there was a value before. */
export function evaluateRules(
  schema: JsonSchema,
  value: unknown,
  previous: unknown,
  at: { path?: Path; isRoot?: boolean } = {},
): StatusCause[] {
  if (!hasRules(schema)) return [];
  const correlated = previous === undefined ? undefined : new Correlated(schema, value, previous);
  const evaluation = new Evaluation();
  const path = at.path ?? new Path();
  evaluation.visit({
    schema,
    value,
    previous,
    path,
    correlated,
    isResource: at.isRoot ?? true,
    isUnchanged: false,
  });
  return evaluation.causes;
}

interface Place {
  schema: JsonSchema;
  value: unknown;
  previous: unknown;
  path: Path;
  correlated: Correlated | undefined;
  /** An object with apiVersion, kind and metadata. */
  isResource: boolean;
  /** The nearest part around it that can be compared is as it was. */
  isUnchanged: boolean;
}

class Evaluation {
  readonly causes: StatusCause[] = [];
  readonly #budget: CostBudget = { remaining: cel().requestCostMax };

  visit(place: Place): void {
    const { schema, value } = place;
    if (value === null || value === undefined || this.#isSpent || !hasRules(schema)) return;
    const compiled = compiledRules(schema, place.isResource);
    if (compiled) this.#rules(compiled, place);
    if (Array.isArray(value)) this.#items(value, place);
    else if (isObject(value)) this.#members(value, place);
  }

  get #isSpent(): boolean {
    return this.#budget.remaining < 0;
  }

  #items(value: unknown[], place: Place): void {
    const items = itemsOf(place.schema);
    if (!items) return;
    for (const [index, item] of value.entries()) {
      this.visit({
        schema: items,
        value: item,
        previous: previousItem(place.schema, item, place.previous),
        path: place.path.index(index),
        ...this.#below(place, place.correlated?.item(index)),
        isResource: items['x-kubernetes-embedded-resource'] === true,
      });
    }
  }

  #members(value: Record<string, unknown>, place: Place): void {
    const rest = restOf(place.schema);
    for (const [name, member] of Object.entries(value)) {
      const property = propertyOf(place.schema, name);
      const schema = property ?? rest;
      if (!schema) continue;
      this.visit({
        schema,
        value: member,
        previous: isObject(place.previous) ? place.previous[name] : undefined,
        path: property ? place.path.child(name) : place.path.key(name),
        ...this.#below(place, place.correlated?.member(name)),
        isResource: schema['x-kubernetes-embedded-resource'] === true,
      });
    }
  }

  #below(place: Place, correlated: Correlated | undefined): Pick<Place, 'correlated' | 'isUnchanged'> {
    return { correlated, isUnchanged: place.correlated?.isSame ?? place.isUnchanged };
  }

  #rules({ type, rules }: CompiledRules, place: Place): void {
    for (const compiled of rules) {
      if (this.#isSpent) return;
      this.#rule(compiled, type, place);
    }
  }

  #rule(compiled: CompiledRule, type: CompiledRules['type'], place: Place): void {
    const { rule, program } = compiled;
    if (!program) {
      this.#invalid(place, `rule compile error: ${compiled.error}`);
      return;
    }
    const hasPrevious = place.previous !== undefined && place.previous !== null;
    if (compiled.usesOldSelf && !hasPrevious && !rule.optionalOldSelf) return;
    const bindings = {
      self: place.value,
      oldSelf: rule.optionalOldSelf
        ? optional(hasPrevious ? cel().fromJson(place.previous, type) : undefined)
        : place.previous,
    };
    let holds: unknown;
    try {
      holds = program.evaluate(bindings, this.#budget);
    } catch (error) {
      this.#failed(rule, error, place);
      return;
    }
    if (this.#isSpent) {
      this.#outOfBudget(place);
      return;
    }
    if (holds === true) return;
    // What is as wrong as before is passed over; a rule about a change is about this one.
    if (!compiled.usesOldSelf && (place.correlated?.isSame ?? place.isUnchanged)) return;
    this.#add(rule, place, this.#messageOf(compiled, bindings));
  }

  #failed(rule: ValidationRule, error: unknown, place: Place): void {
    const { CelCostError, CelError } = cel();
    const what = ruleText(rule);
    if (error instanceof CelCostError) {
      const why = `no further validation rules will be run due to call cost exceeds limit for rule: ${what}`;
      this.#budget.remaining = -1;
      this.#invalid(place, `'${error.message}': ${why}`);
    } else if (!(error instanceof CelError)) throw error;
    else if (error.message.startsWith('no such overload')) {
      const why = 'call arguments did not match a supported operator, function or macro signature for rule';
      this.#invalid(place, `'${error.message}': ${why}: ${what}`);
    } else this.#invalid(place, `${error.message} evaluating rule: ${what}`);
  }

  #outOfBudget(place: Place): void {
    const why =
      'validation failed due to running out of cost budget, no further validation rules will be run';
    this.#invalid(place, why);
  }

  /** What an expression says of it, where that is a message; else what the rule says. */
  #messageOf({ rule, message }: CompiledRule, bindings: Record<string, unknown>): string {
    const fallback = rule.message ? rule.message.trim() : `failed rule: ${ruleText(rule)}`;
    if (!message) return fallback;
    try {
      const text = String(message.evaluate(bindings, this.#budget)).trim();
      const isGood = text !== '' && !text.includes('\n') && Buffer.byteLength(text) <= messageBytesMax;
      return isGood ? text : fallback;
    } catch (error) {
      if (error instanceof cel().CelError || error instanceof cel().CelCostError) return fallback;
      throw error;
    }
  }

  #add({ reason, fieldPath }: ValidationRule, place: Place, detail: string): void {
    const found = fieldPath ? followFieldPath(place.schema, fieldPath) : undefined;
    const path = typeof found === 'object' ? place.path.child(found.text) : place.path;
    const type = JSON.stringify(place.schema.type ?? '');
    const field = path.text === '' ? '<nil>' : path.text;
    const messages: Record<string, string> = {
      FieldValueForbidden: `Forbidden: ${detail}`,
      FieldValueRequired: `Required value: ${detail}`,
      FieldValueDuplicate: `Duplicate value: ${type}`,
    };
    const message = (reason && messages[reason]) ?? `Invalid value: ${type}: ${detail}`;
    this.causes.push({ reason: reason ?? 'FieldValueInvalid', message, field });
  }

  #invalid(place: Place, detail: string): void {
    this.#add({ rule: '' }, place, detail);
  }
}

function optional(value: ReturnType<ReturnType<typeof cel>['fromJson']> | undefined): object {
  const { CelOptional, noneOptional } = celValues();
  return value === undefined ? noneOptional : new CelOptional(value);
}

function ruleText({ rule, message }: ValidationRule): string {
  return (message || rule).trim();
}
