import { dns1035Label } from '../names.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { type Fields, isObject, itemsOf, type JsonSchema, memberOf, propertyOf } from './json-schema.ts';

/** Reports resources inside an object (`x-kubernetes-embedded-resource`) that do not say what they are. */
export function validateEmbedded(
  schema: JsonSchema | undefined,
  value: unknown,
  at: Path,
  report: Report,
): void {
  if (!schema) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      validateEmbedded(itemsOf(schema), item, at.index(index), report);
  } else if (isObject(value)) {
    if (schema['x-kubernetes-embedded-resource']) validateType(value, at, report);
    for (const [name, member] of Object.entries(value)) {
      const memberAt = propertyOf(schema, name) ? at.child(name) : at.key(name);
      validateEmbedded(memberOf(schema, name), member, memberAt, report);
    }
  }
}

function validateType({ apiVersion, kind, metadata }: Fields, at: Path, report: Report): void {
  if (apiVersion === undefined) report.required(at.child('apiVersion'), 'must not be empty');
  else if (typeof apiVersion !== 'string')
    report.invalid(at.child('apiVersion'), apiVersion, 'must be a string');
  else if (apiVersion === '') report.invalid(at.child('apiVersion'), apiVersion, 'must not be empty');
  else if (apiVersion.split('/').length > 2) {
    report.invalid(at.child('apiVersion'), apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  }
  if (kind === undefined) report.required(at.child('kind'), 'must not be empty');
  else if (typeof kind !== 'string') report.invalid(at.child('kind'), kind, 'must be a string');
  else if (kind === '') report.invalid(at.child('kind'), kind, 'must not be empty');
  else {
    const wrong = dns1035Label(kind.toLowerCase());
    if (wrong.length > 0) {
      const text = `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
      report.invalid(at.child('kind'), kind, text);
    }
  }
  if (metadata !== undefined && !isObject(metadata)) {
    report.invalid(at.child('metadata'), metadata, 'must be an object');
  }
}
