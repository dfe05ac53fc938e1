import type { Finding } from './finding.ts';
import type { JsonSchema } from './json-schema.ts';
import { compilePattern } from './re2.ts';

export function checkString(schema: JsonSchema, value: string, found: Finding): void {
  const { maxLength, minLength, pattern } = schema;
  if (maxLength !== undefined && charactersOf(value) > maxLength) found.tooLong(maxLength);
  else if (minLength !== undefined && charactersOf(value) < minLength) {
    found.wrong(value, `should be at least ${minLength} chars long`);
  } else if (pattern && !follows(value, pattern)) found.wrong(value, `should match '${pattern}'`);
}

export function checkNumber(schema: JsonSchema, value: number, found: Finding): void {
  const { multipleOf, maximum, minimum } = schema;
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
    found.wrong(value, `should be a multiple of ${multipleOf}`);
  }
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    found.wrong(value, `should be greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`);
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    found.wrong(value, `should be less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`);
  }
}

/** Code points, as Go counts them. */
function charactersOf(value: string): number {
  let count = 0;
  for (const _ of value) count++;
  return count;
}

function follows(value: string, pattern: string): boolean {
  try {
    return compilePattern(pattern).test(value);
  } catch {
    return false;
  }
}

function isMultiple(value: number, factor: number): boolean {
  if (Number.isInteger(value) && Number.isInteger(factor)) return value % factor === 0;
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}
