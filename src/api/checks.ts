import type { TextRule } from './names.ts';
import { portName } from './names.ts';
import type { Check } from './schema.ts';

/** A text that follows the rule. */
export function follows(rule: TextRule): Check<string> {
  return (value, at, report) => {
    for (const wrong of rule(value)) report.invalid(at, value, wrong);
  };
}

/** A list in which no two items have the same value of `field`. */
export function distinct<T extends object>(field: keyof T & string): Check<T[]> {
  return (items, at, report) => {
    const seen = new Set<unknown>();
    for (const [index, item] of items.entries()) {
      const value = item[field];
      if (value === undefined || value === '') continue;
      if (seen.has(value)) report.duplicate(at.index(index).child(field), value);
      seen.add(value);
    }
  };
}

/** A port by number or by name. */
export const portNumberOrName: Check<number | string> = (value, at, report) => {
  if (typeof value === 'string') follows(portName)(value, at, report);
  else if (value < 1 || value > 65535) report.invalid(at, value, 'must be between 1 and 65535, inclusive');
};

/** An object of which exactly one field is set; `what` is, say, `handler`. */
export function exactlyOne(what: string, fields?: readonly string[]): Check<object> {
  return (value, at, report) => {
    const set = Object.keys(value).filter((name) => fields?.includes(name) ?? true);
    if (set.length === 0) report.required(at, `must specify a ${what} type`);
    for (const name of set.slice(1))
      report.forbidden(at.child(name), `may not specify more than 1 ${what} type`);
  };
}

/** A path from the root. */
export const absolutePath: Check<string> = (value, at, report) => {
  if (!value.startsWith('/')) report.invalid(at, value, 'must be an absolute path');
};

/** A path inside a volume. */
export const relativePath: Check<string> = (value, at, report) => {
  if (value.startsWith('/')) report.invalid(at, value, 'must be a relative path');
  if (value.split('/').includes('..')) report.invalid(at, value, "must not contain '..'");
};
