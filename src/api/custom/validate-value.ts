import type { StatusCause } from '../../base/errors.ts';
import { isEqualJson } from '../equal.ts';
import { checkNumber, checkString } from './check-scalar.ts';
import type { Correlated } from './correlate.ts';
import { Finding, type Spot } from './finding.ts';
import { formatCheck } from './formats.ts';
import { type Fields, isObject, itemsOf, type JsonSchema, propertyOf, restOf } from './json-schema.ts';

export interface ValidateOptions {
  /** Where the value stands in the object: `''` for the object itself, `status` for that part of it. */
  at?: string;
  /** On an update: what it was before. What is wrong with a part that did not change is passed over. */
  correlated?: Correlated | undefined;
}

/** What is wrong with a value by its schema, in the words of Kubernetes' OpenAPI validation. */
export function validateValue(
  schema: JsonSchema,
  value: unknown,
  options: ValidateOptions = {},
): StatusCause[] {
  const found = check(schema, value, { name: '', at: options.at ?? '', correlated: options.correlated });
  return found.causes;
}

function check(schema: JsonSchema, value: unknown, spot: Spot): Finding {
  const found = new Finding(spot);
  found.count(() => checkType(schema, value, found));
  if (value === null || value === undefined) {
    checkEnum(schema, value, found);
  } else {
    checkCombinations(schema, value, spot, found);
    if (typeof value === 'string') {
      found.count(() => checkString(schema, value, found));
      found.count(() => checkFormat(schema, value, found));
    }
    if (typeof value === 'number') found.count(() => checkNumber(schema, value, found));
    if (Array.isArray(value)) found.count(() => checkItems(schema, value, spot, found));
    checkEnum(schema, value, found);
    if (isObject(value)) found.count(() => checkMembers(schema, value, spot, found));
  }
  if (spot.correlated?.isSame) found.causes.length = 0;
  return found;
}

function typesOf(schema: JsonSchema): string[] {
  if (schema['x-kubernetes-int-or-string']) return ['integer', 'string'];
  return schema.type ? [schema.type] : [];
}

/** As JSON Schema names it; null too. */
export function typeOfValue(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkType(schema: JsonSchema, value: unknown, found: Finding): void {
  const types = typesOf(schema);
  const actual = typeOfValue(value);
  if (types.length === 0 || (actual === 'null' && schema.nullable)) return;
  const fits = types.includes(actual) || (actual === 'integer' && types.includes('number'));
  if (fits) return;
  const hasFormat = formatCheck(schema.format) !== undefined && actual !== 'null' && actual !== 'array';
  found.wrongType(hasFormat ? schema.format! : types.join(','), actual);
}

function checkFormat(schema: JsonSchema, value: string, found: Finding): void {
  const check = formatCheck(schema.format);
  if (check && !check(value)) found.wrongType(schema.format!, value);
}

function checkEnum(schema: JsonSchema, value: unknown, found: Finding): void {
  if (!schema.enum?.length || schema.enum.some((allowed) => isEqualJson(allowed, value))) return;
  found.unsupported(value, schema.enum);
}

function checkItems(schema: JsonSchema, value: unknown[], spot: Spot, found: Finding): void {
  const items = itemsOf(schema);
  if (items) {
    for (const [index, item] of value.entries()) {
      const name = `${spot.name}[${index}]`;
      found.merge(check(items, item, { ...spot, name, correlated: spot.correlated?.item(index) }));
    }
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    found.wrong(value.length, `should have at least ${schema.minItems} items`);
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    found.tooMany(value.length, schema.maxItems);
  }
}

function checkMembers(schema: JsonSchema, value: Fields, spot: Spot, found: Finding): void {
  const names = Object.keys(value);
  if (schema.minProperties !== undefined && names.length < schema.minProperties) {
    found.wrong(names.length, `should have at least ${schema.minProperties} properties`);
  }
  if (schema.maxProperties !== undefined && names.length > schema.maxProperties) {
    found.tooMany(names.length, schema.maxProperties);
  }
  const rest = restOf(schema);
  for (const name of names) {
    const property = propertyOf(schema, name);
    if (!property && schema.additionalProperties === false) found.forbiddenMember(name);
    const member = property ?? rest;
    if (!member) continue;
    const path = property && spot.name === '' ? name : `${spot.name}.${name}`;
    found.merge(
      check(member, value[name], { ...spot, name: path, correlated: correlatedMember(spot, name) }),
    );
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) found.missing(name);
  }
}

/** The version of an object shows in what asks for it, not in what is stored: it is never unchanged. */
function correlatedMember({ name: at, correlated }: Spot, name: string): Correlated | undefined {
  if (at === '' && (name === 'kind' || name === 'apiVersion')) return undefined;
  return correlated?.member(name);
}

function checkCombinations(schema: JsonSchema, value: unknown, spot: Spot, found: Finding): void {
  const { anyOf = [], oneOf = [], allOf = [], not } = schema;
  const name = JSON.stringify(spot.name);
  if (anyOf.length > 0) {
    const results = anyOf.map((one) => check(one, value, spot));
    if (!results.some((result) => result.isValid)) {
      found.general(`${name} must validate at least one schema (anyOf)`);
      found.merge(best(results));
    }
  }
  if (oneOf.length > 0) {
    const results = oneOf.map((one) => check(one, value, spot));
    const valid = results.filter((result) => result.isValid).length;
    if (valid !== 1) {
      const count = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
      found.general(`${name} must validate one and only one schema (oneOf). ${count}`);
      if (valid === 0) found.merge(best(results));
    }
  }
  if (allOf.length > 0) {
    const results = allOf.map((one) => check(one, value, spot));
    for (const result of results) found.merge(result);
    const valid = results.filter((result) => result.isValid).length;
    if (valid !== results.length) {
      found.general(`${name} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
    }
  }
  if (not && check(not, value, spot).isValid) found.general(`${name} must not validate the schema (not)`);
}

/** Of several that do not hold, the one that most is right by. */
function best(results: Finding[]): Finding {
  return results.reduce((one, other) => (other.matches > one.matches ? other : one));
}
