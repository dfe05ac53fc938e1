import type { SchemaNode } from '../schema.ts';
import { type FieldSet, leaf, nodeOf } from './field-set.ts';
import { elementOf, type Fields, isEmpty, memberSchema, structureOf } from './structure.ts';

/** The fields that an applied configuration names: what its manager wants to own. Throws RangeError, see `elementOf`. */
export function fieldsOf(schema: SchemaNode | undefined, value: unknown): FieldSet | undefined {
  return nodeOf(partsOf(schema, value), false);
}

function partsOf(schema: SchemaNode | undefined, value: unknown): Record<string, FieldSet> {
  const structure = structureOf(schema, value);
  const parts: Record<string, FieldSet> = {};
  if (structure === 'set' || structure === 'keyed') {
    for (const item of value as unknown[]) {
      const inside = structure === 'keyed' ? partsBelow(schema!.item, item) : {};
      parts[elementOf(schema!, item)] = nodeOf(inside, true)!;
    }
    return parts;
  }
  for (const [name, member] of Object.entries(value as Fields)) {
    if (member === undefined) continue;
    const node = memberNode(memberSchema(schema, name), member, structure === 'map');
    if (node) parts[`f:${name}`] = node;
  }
  return parts;
}

function partsBelow(schema: SchemaNode | undefined, value: unknown): Record<string, FieldSet> {
  return structureOf(schema, value) === 'leaf' ? {} : partsOf(schema, value);
}

/** A declared field is owned through its parts, an entry of a map also itself. An empty list owns nothing. */
function memberNode(schema: SchemaNode | undefined, value: unknown, isEntry: boolean): FieldSet | undefined {
  const structure = structureOf(schema, value);
  if (structure === 'leaf') return leaf;
  const isEmptyMap = (structure === 'fields' || structure === 'map') && isEmpty(value as object);
  return nodeOf(partsOf(schema, value), isEntry || isEmptyMap);
}
