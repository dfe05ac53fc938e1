import type { SchemaNode } from '../schema.ts';

export type Fields = Record<string, unknown>;

/**
 * How server-side apply sees a value: a leaf is owned and replaced as a whole, the others part by part. `fields` has
 * declared members, `map` any.
 */
export type Structure = 'leaf' | 'fields' | 'map' | 'set' | 'keyed';

/** Where the schema leaves the type open (`any`), objects are maps and lists are leaves, as in Kubernetes. */
export function structureOf(schema: SchemaNode | undefined, value: unknown): Structure {
  if (typeof value !== 'object' || value === null) return 'leaf';
  const isList = Array.isArray(value);
  if (schema === undefined || schema.type === 'any') return isList ? 'leaf' : 'map';
  if (schema.listType === 'atomic') return 'leaf';
  if (schema.type === 'object') return isList ? 'leaf' : 'fields';
  if (schema.type === 'map') return isList ? 'leaf' : 'map';
  if (schema.type !== 'list' || !isList) return 'leaf';
  return schema.listType === 'map' ? 'keyed' : schema.listType === 'set' ? 'set' : 'leaf';
}

/** The schema of a member of `fields` or `map`. */
export function memberSchema(schema: SchemaNode | undefined, name: string): SchemaNode | undefined {
  if (schema?.fields && Object.hasOwn(schema.fields, name)) return schema.fields[name];
  return schema?.type === 'map' ? schema.item : undefined;
}

/** Whether there is nothing in a list or an object. */
export function isEmpty(value: object): boolean {
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

/** The element of a list item: `k:{"name":"main"}` or `v:"a"`. Throws RangeError where an item has no key. */
export function elementOf(schema: SchemaNode, item: unknown): string {
  if (schema.listType === 'set') return `v:${JSON.stringify(item)}`;
  const keys: Fields = {};
  let isKnown = false;
  for (const key of schema.listKeys!) {
    const value = (item as Fields | null)?.[key] ?? defaultOf(schema.item, key);
    isKnown ||= value !== undefined;
    keys[key] = value ?? null;
  }
  if (!isKnown) {
    const names = schema.listKeys!.map((key) => JSON.stringify(key)).join(' ');
    throw new RangeError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(keys);
}

/** `k:` and the keys in alphabetical order. */
export function keyElement(keys: Fields): string {
  const names = Object.keys(keys);
  if (names.length === 1) return `k:${JSON.stringify(keys)}`;
  return `k:${JSON.stringify(Object.fromEntries(names.sort().map((name) => [name, keys[name]])))}`;
}

function defaultOf(item: SchemaNode | undefined, key: string): unknown {
  const value = item?.fields?.[key]?.default;
  return typeof value === 'function' ? undefined : value;
}

/** The items of a list by element. Of items with the same element, which only an update can bring in, all are kept. */
export function itemsByElement(schema: SchemaNode, list: readonly unknown[]): Map<string, unknown[]> {
  const items = new Map<string, unknown[]>();
  for (const item of list) {
    const element = elementOf(schema, item);
    const same = items.get(element);
    if (same) same.push(item);
    else items.set(element, [item]);
  }
  return items;
}
