import { type Fields, isObject, itemsOf, type JsonSchema, memberOf } from './json-schema.ts';

const typeMetadata = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * A copy of an object without the fields that its schema does not declare; each is told to `unknown` by its path.
 * `apiVersion`, `kind` and `metadata` stay as they are, at the root and in embedded resources.
 */
export function prune(schema: JsonSchema, object: Fields, unknown?: (path: string) => void): Fields {
  const root = { ...schema, 'x-kubernetes-embedded-resource': true };
  return pruned(root, object, '', unknown ?? (() => {})) as Fields;
}

function pruned(
  schema: JsonSchema | undefined,
  value: unknown,
  at: string,
  unknown: (path: string) => void,
): unknown {
  const keepsUnknown = schema?.['x-kubernetes-preserve-unknown-fields'] === true;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return value.map((item, index) => {
      const itemAt = `${at}[${index}]`;
      // What is kept in a list is kept in its items too, but for what is declared of them.
      if (keepsUnknown) return items ? kept(items, item, itemAt, unknown) : item;
      return pruned(items, item, itemAt, unknown);
    });
  }
  return isObject(value) ? prunedObject(schema, value, at, unknown) : value;
}

function kept(schema: JsonSchema, value: unknown, at: string, unknown: (path: string) => void): unknown {
  return pruned({ ...schema, 'x-kubernetes-preserve-unknown-fields': true }, value, at, unknown);
}

function prunedObject(
  schema: JsonSchema | undefined,
  value: Fields,
  at: string,
  unknown: (path: string) => void,
): Fields {
  const keepsUnknown = schema?.['x-kubernetes-preserve-unknown-fields'] === true;
  const isResource = schema?.['x-kubernetes-embedded-resource'] === true;
  const copy: [string, unknown][] = [];
  for (const [name, member] of Object.entries(value)) {
    const memberAt = at === '' ? name : `${at}.${name}`;
    if (isResource && typeMetadata.has(name)) {
      copy.push([name, member]);
      continue;
    }
    const inner = memberOf(schema, name);
    const isDeclared = inner !== undefined || schema?.additionalProperties === true;
    if (isDeclared && inner) copy.push([name, pruned(inner, member, memberAt, unknown)]);
    else if (keepsUnknown) copy.push([name, member]);
    // With `additionalProperties: true` any member may be there, but nothing is known of what is in it.
    else if (isDeclared) copy.push([name, pruned(undefined, member, memberAt, unknown)]);
    else unknown(memberAt);
  }
  return Object.fromEntries(copy);
}
