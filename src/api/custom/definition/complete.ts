import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { itemsOf, type JsonSchema } from '../json-schema.ts';

/** What narrows a value, and what it narrows. */
interface Pair {
  nested: JsonSchema;
  nestedAt: Path;
  declared: JsonSchema | undefined;
  declaredAt: Path;
}

/** Reports what is only spoken of in `allOf`, `anyOf`, `oneOf` or `not`, without being declared outside them. */
export function checkCompleteness(schema: JsonSchema, at: Path, report: Report): void {
  checkCombinations({ nested: schema, nestedAt: at, declared: schema, declaredAt: at }, report);
}

function checkCombinations(pair: Pair, report: Report): void {
  const { nested, nestedAt } = pair;
  if (nested.not) checkPair({ ...pair, nested: nested.not, nestedAt: nestedAt.child('not') }, report);
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, one] of (nested[name] ?? []).entries()) {
      checkPair({ ...pair, nested: one, nestedAt: nestedAt.child(name).index(index) }, report);
    }
  }
}

function checkPair(pair: Pair, report: Report): void {
  const { nested, nestedAt, declared, declaredAt } = pair;
  if (!declared) {
    report.required(declaredAt, `because it is defined in ${nestedAt.text}`);
    return;
  }
  checkCombinations(pair, report);
  const items = itemsOf(nested);
  if (items) {
    const itemsAt = { nestedAt: nestedAt.child('items'), declaredAt: declaredAt.child('items') };
    checkPair({ nested: items, declared: itemsOf(declared), ...itemsAt }, report);
  }
  for (const [name, property] of Object.entries(nested.properties ?? {})) {
    const at = (path: Path) => path.child('properties').key(name);
    const inner = declared.properties?.[name];
    checkPair(
      { nested: property, nestedAt: at(nestedAt), declared: inner, declaredAt: at(declaredAt) },
      report,
    );
  }
}
