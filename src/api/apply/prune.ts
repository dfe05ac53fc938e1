import type { SchemaNode } from '../schema.ts';
import { type FieldSet, isMember } from './field-set.ts';
import { elementOf, type Fields, isEmpty, memberSchema, structureOf } from './structure.ts';

/**
 * What is left of `value` when a manager lets go of fields: without those in `released` that are not in `kept`.
 * Undefined when nothing is left. What nobody owns stays, except inside a list item that goes.
 */
export function prune(
  schema: SchemaNode | undefined,
  value: unknown,
  released: FieldSet | undefined,
  kept: FieldSet | undefined,
): unknown {
  if (released === undefined || value === undefined) return value;
  const structure = structureOf(schema, value);
  if (structure === 'leaf' || isEmpty(value as object)) return value;
  const left =
    structure === 'set' || structure === 'keyed'
      ? pruneItems(schema!, value as unknown[], released, kept)
      : pruneMembers(schema, value as Fields, released, kept);
  return isEmpty(left) ? undefined : left;
}

function pruneMembers(
  schema: SchemaNode | undefined,
  value: Fields,
  released: FieldSet,
  kept: FieldSet | undefined,
): Fields {
  const left: [string, unknown][] = [];
  for (const [name, member] of Object.entries(value)) {
    const element = `f:${name}`;
    const letGo = released[element];
    const isHeld = kept?.[element] !== undefined;
    if (isMember(letGo) && !isHeld) continue;
    const inside = memberSchema(schema, name);
    const rest = prune(inside, member, letGo, kept?.[element]);
    if (rest !== undefined) left.push([name, rest]);
    // Somebody still wants the container itself to be there.
    else if (isMember(kept?.[element]) || (isHeld && structureOf(inside, member) === 'fields')) {
      left.push([name, Array.isArray(member) ? [] : {}]);
    }
  }
  return Object.fromEntries(left);
}

function pruneItems(
  schema: SchemaNode,
  value: unknown[],
  released: FieldSet,
  kept: FieldSet | undefined,
): unknown[] {
  const left: unknown[] = [];
  for (const item of value) {
    const element = elementOf(schema, item);
    const letGo = released[element];
    if (isMember(letGo) && !isMember(kept?.[element])) continue;
    left.push(prune(schema.item, item, letGo, kept?.[element]) ?? item);
  }
  return left;
}
