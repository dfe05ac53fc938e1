import type { StatusCause } from '../../../base/errors.ts';
import { isEqualJson } from '../../equal.ts';
import type { Path } from '../../path.ts';
import { Report } from '../../report.ts';
import { itemsOf, type JsonSchema, restOf } from '../json-schema.ts';
import { compilePattern } from '../re2.ts';
import { checkCompleteness } from './complete.ts';

type Level = 'root' | 'item' | 'field';

const intOrString: JsonSchema[] = [{ type: 'integer' }, { type: 'string' }];

/**
 * What keeps a schema from being structural, in alphabetical order: each field has a type, and `allOf`, `anyOf`,
 * `oneOf` and `not` only narrow what is declared outside them.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
export function structuralFaults(schema: JsonSchema, at: Path): StatusCause[] {
  const report = new Report();
  checkStructure(schema, 'root', at, report);
  checkCompleteness(schema, at, report);
  const textOf = ({ field, message }: StatusCause) => `${field}: ${message}`;
  return report.causes.sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}

function checkStructure(schema: JsonSchema, level: Level, at: Path, report: Report): void {
  const items = itemsOf(schema);
  if (schema.type === 'array' && !schema.items) report.required(at.child('items'), 'must be specified');
  if (items) checkStructure(items, 'item', at.child('items'), report);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkStructure(property, 'field', at.child('properties').key(name), report);
  }
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) {
    const restAt = at.child('additionalProperties');
    if (level === 'root') report.forbidden(restAt, 'must not be used at the root');
    const rest = restOf(schema);
    if (rest) checkStructure(rest, 'field', restAt, report);
  }
  checkExtensions(schema, at, report);
  checkValueValidation(schema, at, report);
  checkType(schema, level, at, report);
  checkMetadata(schema, level, at, report);
}

function checkExtensions(schema: JsonSchema, at: Path, report: Report): void {
  if (!schema['x-kubernetes-int-or-string']) return;
  for (const name of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const) {
    if (schema[name])
      report.invalid(at.child(name), true, 'must be false if x-kubernetes-int-or-string is true');
  }
}

function checkType(schema: JsonSchema, level: Level, at: Path, report: Report): void {
  const typeAt = at.child('type');
  const type = schema.type ?? '';
  if (schema['x-kubernetes-embedded-resource']) {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    if (type === '') report.required(typeAt, why);
    else if (type !== 'object') report.invalid(typeAt, type, why);
    const restAt = at.child('additionalProperties');
    if (schema.additionalProperties) {
      report.forbidden(restAt, 'must not be used if x-kubernetes-embedded-resource is set');
    }
    const isOpen =
      schema['x-kubernetes-preserve-unknown-fields'] || Object.keys(schema.properties ?? {}).length > 0;
    if (!isOpen) {
      report.required(
        at.child('properties'),
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      );
    }
  } else if (
    type === '' &&
    !schema['x-kubernetes-int-or-string'] &&
    !schema['x-kubernetes-preserve-unknown-fields']
  ) {
    const where = {
      root: 'at the root',
      item: 'for specified array items',
      field: 'for specified object fields',
    };
    report.required(typeAt, `must not be empty ${where[level]}`);
  }
  if (level === 'root' && type !== '' && type !== 'object') {
    report.invalid(typeAt, type, 'must be object at the root');
  }
}

function checkMetadata(schema: JsonSchema, level: Level, at: Path, report: Report): void {
  if (level !== 'root' && !schema['x-kubernetes-embedded-resource']) return;
  const properties = schema.properties ?? {};
  const propertyAt = (name: string) => at.child('properties').key(name);
  for (const name of ['kind', 'apiVersion']) {
    const property = properties[name];
    if (property && property.type !== 'string') {
      report.invalid(propertyAt(name).child('type'), property.type ?? '', 'must be string');
    }
  }
  const { metadata } = properties;
  if (!metadata) return;
  if (metadata.type !== 'object') {
    report.invalid(propertyAt('metadata').child('type'), metadata.type ?? '', 'must be object');
  }
  if (level === 'root' && saysMore(metadata)) {
    const why =
      'must not specify anything other than name and generateName, but metadata is implicitly specified';
    report.forbidden(propertyAt('metadata'), why);
  }
}

function saysMore({ type: _type, default: _default, properties = {}, ...rest }: JsonSchema): boolean {
  const others = Object.keys(properties).filter((name) => name !== 'name' && name !== 'generateName');
  return others.length > 0 || Object.keys(rest).length > 0;
}

/** What narrows a value. Two forms of saying "number or text" may have types in them. */
function checkValueValidation(schema: JsonSchema, at: Path, report: Report, isNested = false): void {
  const isEither = isEqualJson(schema.anyOf, intOrString);
  const [firstAllOf] = schema.allOf ?? [];
  const isEitherInAllOf = !isNested && isEqualJson(firstAllOf?.anyOf, intOrString);
  if (isNested || !isEither) {
    for (const [index, one] of (schema.anyOf ?? []).entries()) {
      checkNested(one, at.child('anyOf').index(index), report);
    }
  }
  for (const [index, one] of (schema.allOf ?? []).entries()) {
    const { anyOf: _anyOf, ...others } = one;
    checkNested(isEitherInAllOf && index === 0 ? others : one, at.child('allOf').index(index), report);
  }
  for (const [index, one] of (schema.oneOf ?? []).entries()) {
    checkNested(one, at.child('oneOf').index(index), report);
  }
  if (schema.not) checkNested(schema.not, at.child('not'), report);
  if (schema.pattern) checkPattern(schema.pattern, at.child('pattern'), report);
}

function checkPattern(pattern: string, at: Path, report: Report): void {
  try {
    compilePattern(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    report.invalid(at, pattern, `must be a valid regular expression, but isn't: ${why}`);
  }
}

function checkNested(schema: JsonSchema, at: Path, report: Report): void {
  checkValueValidation(schema, at, report, true);
  const items = itemsOf(schema);
  if (items) checkNested(items, at.child('items'), report);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkNested(property, at.child('properties').key(name), report);
  }
  const forbid = (name: keyof JsonSchema, must: string) => {
    const value = schema[name];
    const isSet = Array.isArray(value)
      ? value.length > 0
      : value !== undefined && value !== false && value !== '';
    if (isSet) report.forbidden(at.child(name), `must be ${must} to be structural`);
  };
  forbid('type', 'empty');
  forbid('additionalProperties', 'undefined');
  forbid('default', 'undefined');
  forbid('title', 'empty');
  forbid('description', 'empty');
  forbid('nullable', 'false');
  forbid('x-kubernetes-preserve-unknown-fields', 'false');
  forbid('x-kubernetes-embedded-resource', 'false');
  forbid('x-kubernetes-int-or-string', 'false');
  forbid('x-kubernetes-list-map-keys', 'empty');
  forbid('x-kubernetes-list-type', 'undefined');
  forbid('x-kubernetes-map-type', 'undefined');
  forbid('x-kubernetes-validations', 'empty');
  if (schema.properties?.metadata) {
    report.forbidden(at.child('properties').key('metadata'), 'must not be specified in a nested context');
  }
}
