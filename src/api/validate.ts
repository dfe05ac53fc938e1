import type { StatusCause } from '../base/errors.ts';
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './object.ts';
import { Path } from './path.ts';
import { Report } from './report.ts';
import type { SchemaNode } from './schema.ts';
import { Within } from './schema-walk.ts';
import { validateMetadata, validateMetadataUpdate } from './validate-metadata.ts';

/**
 * What is wrong with a decoded, defaulted object; empty when nothing is. In an update of a custom resource, what is as
 * wrong in `previous` is passed over.
 */
export function validate<T extends KubeObject>(
  kind: KindDefinition<T>,
  object: T,
  previous?: T,
): StatusCause[] {
  const report = new Report();
  const root = new Path();
  validateMetadata(kind, object, report);
  if (kind.custom) return [...report.causes, ...kind.custom.validate(object, previous)];
  for (const [name, field] of Object.entries(kind.schema.fields!)) {
    if (name === 'apiVersion' || name === 'kind' || name === 'metadata') continue;
    // What a controller reports is taken as it is, as far as its types are right.
    if (name === 'status') continue;
    validateNode(field, (object as Record<string, unknown>)[name], root.child(name), report);
  }
  kind.check?.(object, report, root);
  return report.causes;
}

/** What is wrong with an object that is to be made, beside what is wrong with any. */
export function validateCreate<T extends KubeObject>(kind: KindDefinition<T>, object: T): StatusCause[] {
  const report = new Report();
  kind.checkCreate?.(object, report, new Path());
  return report.causes;
}

/** What is wrong with replacing `previous` by `next`, beside what is wrong with `next` itself. */
export function validateUpdate<T extends KubeObject>(
  kind: KindDefinition<T>,
  next: T,
  previous: T,
): StatusCause[] {
  const report = new Report();
  const root = new Path();
  validateMetadataUpdate(next, previous, report);
  if (kind.custom) return report.causes;
  validateChange(kind.schema, next, previous, root, report);
  kind.checkUpdate?.(next, previous, report, root);
  return report.causes;
}

const checked = new Within(
  ({ required, values, min, max, check }) =>
    Boolean(required || values || check) || min !== undefined || max !== undefined,
);

function validateNode(schema: SchemaNode, value: unknown, at: Path, report: Report): void {
  if (isMissing(schema, value)) {
    if (schema.required) report.required(at, schema.absent);
    return;
  }
  if (schema.values && !schema.values.includes(value as string)) {
    report.unsupported(at, value, schema.values, schema.inOrder);
    return;
  }
  if (typeof value === 'number') validateRange(schema, value, at, report);
  if (!schema.insideUnchecked) validateInside(schema, value, at, report);
  schema.check?.(value, at, report);
}

function validateInside(schema: SchemaNode, value: unknown, at: Path, report: Report): void {
  if (schema.type === 'object') {
    for (const [name, field] of checked.fieldsOf(schema)) {
      const member = (value as Record<string, unknown>)[name];
      if (member !== undefined || field.required) validateNode(field, member, at.child(name), report);
    }
  } else if (schema.type === 'list' && checked.isIn(schema.item!)) {
    for (const [index, item] of (value as unknown[]).entries()) {
      validateNode(schema.item!, item, at.index(index), report);
    }
  } else if (schema.type === 'map' && checked.isIn(schema.item!)) {
    for (const [key, item] of Object.entries(value as object)) {
      validateNode(schema.item!, item, at.key(key), report);
    }
  }
}

// Go has no absent text or list: what is required may not be empty either.
function isMissing(schema: SchemaNode, value: unknown): boolean {
  if (value === undefined) return true;
  if (!schema.required || schema.mayBeEmpty) return false;
  return value === '' || (Array.isArray(value) && value.length === 0);
}

function validateRange(schema: SchemaNode, value: number, at: Path, report: Report): void {
  const { min, max } = schema;
  if (min !== undefined && max !== undefined) {
    if (value < min || value > max) report.invalid(at, value, `must be between ${min} and ${max}, inclusive`);
  } else if (min !== undefined && value < min) {
    report.invalid(
      at,
      value,
      min === 1 ? 'must be greater than 0' : `must be greater than or equal to ${min}`,
    );
  } else if (max !== undefined && value > max) {
    report.invalid(at, value, `must be less than or equal to ${max}`);
  }
}

const changeChecked = new Within(({ checkUpdate }) => checkUpdate !== undefined);

// Lists are compared as a whole: their items have no stable place.
function validateChange(
  schema: SchemaNode,
  next: unknown,
  previous: unknown,
  at: Path,
  report: Report,
): void {
  schema.checkUpdate?.(next, previous, at, report);
  if (schema.type !== 'object' || (next === undefined && previous === undefined)) return;
  for (const [name, field] of changeChecked.fieldsOf(schema)) {
    const read = (value: unknown) => (value as Record<string, unknown> | undefined)?.[name];
    validateChange(field, read(next), read(previous), at.child(name), report);
  }
}
