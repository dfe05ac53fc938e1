import type { StatusCause } from '../../../base/errors.ts';
import { isEqualJson } from '../../equal.ts';
import type { Path } from '../../path.ts';
import { Report } from '../../report.ts';
import { validateEmbedded } from '../embedded.ts';
import { evaluateRules } from '../evaluate-rules.ts';
import { isObject, itemsOf, type JsonSchema } from '../json-schema.ts';
import { prune } from '../prune.ts';
import { validateValue } from '../validate-value.ts';

/** What is wrong with the defaults in a structural schema: each must be a value of its own schema. */
export function validateDefaults(schema: JsonSchema, at: Path): StatusCause[] {
  const report = new Report();
  check(schema, at, report);
  return report.causes;
}

function check(schema: JsonSchema, at: Path, report: Report): void {
  if (schema.default !== undefined && schema.default !== null)
    checkDefault(schema, at.child('default'), report);
  const items = itemsOf(schema);
  if (items) check(items, at.child('items'), report);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    check(property, at.child('properties').key(name), report);
  }
}

function checkDefault(schema: JsonSchema, at: Path, report: Report): void {
  const value = schema.default;
  if (hasUnknown(schema, value)) report.invalid(at, value, 'must not have unknown fields');
  const before = report.causes.length;
  validateEmbedded(schema, value, at, report);
  if (report.causes.length === before) report.causes.push(...validateValue(schema, value, { at: at.text }));
  // A default comes in by a create as well as by an update.
  if (report.causes.length === before) {
    report.causes.push(...evaluateRules(schema, value, value, { path: at, isRoot: false }));
  }
}

function hasUnknown(schema: JsonSchema, value: unknown): boolean {
  if (schema['x-kubernetes-embedded-resource'] && isObject(value))
    return !isEqualJson(prune(schema, value), value);
  // Looked at from one level higher, where a default's own fields are not taken for those of a resource.
  const holder = { type: 'object', properties: { value: schema } };
  return !isEqualJson(prune(holder, { value }), { value });
}
