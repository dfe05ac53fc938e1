import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { itemsOf, type JsonSchema, restOf, type ValidationRule } from '../json-schema.ts';
import { followFieldPath } from './field-path.ts';

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const lineBreak = /[\n\r]/;

/** Reports what is wrong with the CEL rules of a structural schema. */
export function validateRules(schema: JsonSchema, at: Path, report: Report): void {
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    checkForm(schema, rule, at.child('x-kubernetes-validations').index(index), report);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    validateRules(property, at.child('properties').key(name), report);
  }
  const items = itemsOf(schema);
  if (items) validateRules(items, at.child('items'), report);
  const rest = restOf(schema);
  if (rest) validateRules(rest, at.child('additionalProperties'), report);
}

function checkForm(schema: JsonSchema, rule: ValidationRule, at: Path, report: Report): void {
  const text = rule.rule.trim();
  const message = rule.message?.trim() ?? '';
  if (text === '') report.required(at.child('rule'), 'rule is not specified');
  else if (rule.message && message === '') {
    report.invalid(at.child('message'), rule.message, 'message must be non-empty if specified');
  } else if (lineBreak.test(message)) {
    report.invalid(at.child('message'), rule.message, 'message must not contain line breaks');
  } else if (lineBreak.test(text) && message === '') {
    report.required(at.child('message'), 'message must be specified if rule contains line breaks');
  }
  if (rule.messageExpression && rule.messageExpression.trim() === '') {
    report.required(at.child('messageExpression'), 'messageExpression must be non-empty if specified');
  }
  if (rule.reason !== undefined && !reasons.includes(rule.reason)) {
    report.unsupported(at.child('reason'), rule.reason, reasons);
  }
  checkFieldPath(schema, rule.fieldPath, at.child('fieldPath'), report);
}

function checkFieldPath(schema: JsonSchema, path: string | undefined, at: Path, report: Report): void {
  if (!path) return;
  if (path.trim() === '') report.invalid(at, path, 'fieldPath must be non-empty if specified');
  if (lineBreak.test(path)) report.invalid(at, path, 'fieldPath must not contain line breaks');
  if (typeof followFieldPath(schema, path) === 'string') {
    report.invalid(at, path, 'fieldPath must be a valid path');
  }
}
