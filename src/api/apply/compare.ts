import { isEqualJson } from '../equal.ts';
import type { SchemaNode } from '../schema.ts';
import { isAlwaysThere } from './always-there.ts';
import { type FieldSet, leaf, nodeOf } from './field-set.ts';
import {
  type Fields,
  isEmpty,
  itemsByElement,
  memberSchema,
  type Structure,
  structureOf,
} from './structure.ts';

type Parts = Record<string, FieldSet>;

/** The fields of `next` that `previous` lacks or has otherwise; `isThere` where what lacks is only empty. */
export function changedFields(
  schema: SchemaNode | undefined,
  previous: unknown,
  next: unknown,
  isThere = false,
): FieldSet | undefined {
  if (next === undefined || previous === next) return undefined;
  const structure = structureOf(schema, next);
  const isNew = previous === undefined && !isThere;
  if (structure === 'leaf' || isOther(structure, schema, previous)) {
    if (previous === undefined && isThere && isEmptyObject(next)) return undefined;
    return isEqualJson(previous, next) ? undefined : leaf;
  }
  if (isEmpty(next as object)) return isNew ? leaf : undefined;
  const parts =
    structure === 'set' || structure === 'keyed'
      ? changedItems(schema!, (previous ?? []) as unknown[], next as unknown[])
      : changedMembers(schema, isNew ? undefined : ((previous ?? {}) as Fields), next as Fields);
  return nodeOf(parts, isNew);
}

/** The fields of `previous` that `next` lacks. */
export function removedFields(
  schema: SchemaNode | undefined,
  previous: unknown,
  next: unknown,
): FieldSet | undefined {
  if (previous === undefined || previous === next) return undefined;
  const structure = structureOf(schema, previous);
  const isGone = next === undefined;
  if (structure === 'leaf' || isOther(structure, schema, next)) return isGone ? leaf : undefined;
  if (isEmpty(previous as object)) return isGone ? leaf : undefined;
  const parts: Parts = {};
  if (structure === 'set' || structure === 'keyed') {
    const kept = itemsByElement(schema!, (next ?? []) as unknown[]);
    for (const [element, items] of itemsByElement(schema!, previous as unknown[])) {
      const others = kept.get(element);
      const removed = removedItem(schema!.item, items, others);
      if (removed) parts[element] = removed;
    }
  } else {
    for (const [name, member] of Object.entries(previous as Fields)) {
      const removed = removedFields(memberSchema(schema, name), member, (next as Fields | undefined)?.[name]);
      if (removed) parts[`f:${name}`] = removed;
    }
  }
  // The container of fields is only removed together with them; nobody owns it apart.
  return nodeOf(parts, isGone);
}

/** Where the type is open, a value may change from one structure to another. */
function isOther(structure: Structure, schema: SchemaNode | undefined, value: unknown): boolean {
  return value !== undefined && structureOf(schema, value) !== structure;
}

/** Without `previous` the whole of `next` is new, what is always there included. */
function changedMembers(schema: SchemaNode | undefined, previous: Fields | undefined, next: Fields): Parts {
  const parts: Parts = {};
  for (const name in next) {
    const member = memberSchema(schema, name);
    const isThere = !!previous && !!schema && !!member && isAlwaysThere(schema, name, member);
    const changed = changedFields(member, previous?.[name], next[name], isThere);
    if (changed) parts[`f:${name}`] = changed;
  }
  return parts;
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && isEmpty(value);
}

function changedItems(schema: SchemaNode, previous: unknown[], next: unknown[]): Parts {
  const parts: Parts = {};
  const before = itemsByElement(schema, previous);
  for (const [element, items] of itemsByElement(schema, next)) {
    const changed = changedItem(schema.item, before.get(element), items);
    if (changed) parts[element] = changed;
  }
  return parts;
}

function changedItem(
  schema: SchemaNode | undefined,
  previous: unknown[] | undefined,
  next: unknown[],
): FieldSet | undefined {
  if (next.length > 1 || (previous && previous.length > 1)) {
    return isEqualJson(previous, next) ? undefined : leaf;
  }
  const changed = changedFields(schema, previous?.[0], next[0]);
  return previous ? changed : nodeOf({ ...changed }, true);
}

function removedItem(
  schema: SchemaNode | undefined,
  previous: unknown[],
  next: unknown[] | undefined,
): FieldSet | undefined {
  if (next && (previous.length > 1 || next.length > 1)) return undefined;
  return removedFields(schema, previous[0], next?.[0]);
}
