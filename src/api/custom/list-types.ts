import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { type Fields, isObject, itemsOf, type JsonSchema, memberOf, propertyOf } from './json-schema.ts';

/** Reports what stands twice in a list whose items must be distinct: as values (`set`) or by their keys (`map`). */
export function validateListTypes(
  schema: JsonSchema | undefined,
  value: unknown,
  at: Path,
  report: Report,
): void {
  if (!schema) return;
  if (Array.isArray(value)) {
    const type = schema['x-kubernetes-list-type'];
    if (type === 'set') reportTwice(value, value, at, report);
    if (type === 'map') validateKeys(schema['x-kubernetes-list-map-keys'] ?? [], value, at, report);
    for (const [index, item] of value.entries()) {
      validateListTypes(itemsOf(schema), item, at.index(index), report);
    }
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      const memberAt = propertyOf(schema, name) ? at.child(name) : at.key(name);
      validateListTypes(memberOf(schema, name), member, memberAt, report);
    }
  }
}

function validateKeys(keys: readonly string[], items: readonly unknown[], at: Path, report: Report): void {
  const wrong = items.findIndex((item) => item !== null && !isObject(item));
  if (wrong >= 0) {
    report.invalid(at.index(wrong), items[wrong], 'must be an object for an array of list-type map');
    return;
  }
  const keysOf = (item: unknown): Fields => {
    const given = keys.filter((key) => isObject(item) && Object.hasOwn(item, key));
    return Object.fromEntries(given.map((key) => [key, (item as Fields)[key]]));
  };
  const known = items.map(keysOf);
  reportTwice(known, known, at, report);
}

/** A value that is there three times is told once. */
function reportTwice(values: readonly unknown[], shown: readonly unknown[], at: Path, report: Report): void {
  const times = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    const text = canonical(value);
    const seen = times.get(text) ?? 0;
    times.set(text, seen + 1);
    if (seen === 1) report.duplicate(at.index(index), shown[index]);
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
