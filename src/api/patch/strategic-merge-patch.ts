import { StatusError } from '../../base/errors.ts';
import { cannotUnmarshal } from '../go-json.ts';
import type { KindDefinition } from '../kind.ts';
import type { KubeObject } from '../object.ts';
import type { SchemaNode } from '../schema.ts';
import { deleteFrom, orderLike } from './list-directives.ts';

type Fields = Record<string, unknown>;

const elementOrder = '$setElementOrder/';
const deletePrimitives = '$deleteFromPrimitiveList/';

/**
 * The object after a strategic merge patch; the given one stays as it is. Lists merge by the keys in the kind's
 * schema; the directives are `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/<list>` and
 * `$deleteFromPrimitiveList/<list>`. Throws BadRequest for a malformed patch.
 */
export function strategicMergePatch<T extends KubeObject>(
  kind: KindDefinition<T>,
  object: T,
  patch: unknown,
): T {
  if (patch === null) return structuredClone(object);
  if (!isObject(patch)) {
    throw new StatusError('BadRequest', cannotUnmarshal(patch, 'map[string]interface {}'));
  }
  return mergeObject(kind.schema, object as Fields, patch) as T;
}

/** The same of any object whose schema is known. */
export function mergeObject(schema: SchemaNode | undefined, original: Fields, patch: Fields): Fields {
  const { $patch: directive, $retainKeys: retained, ...changes } = patch;
  if (directive === 'replace') return cleaned(changes) as Fields;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') {
    throw badPatch(
      `unknown directive $patch: ${JSON.stringify(directive)}; expected replace, delete or merge`,
    );
  }
  const merged = new Map(Object.entries(original));
  if (retained !== undefined) retainKeys(merged, retained, changes);
  for (const [name, change] of Object.entries(changes)) {
    if (name.startsWith(deletePrimitives)) {
      const target = name.slice(deletePrimitives.length);
      if (merged.has(target)) merged.set(target, deleteFrom(merged.get(target), change));
    } else if (change === null) merged.delete(name);
    else if (!name.startsWith(elementOrder)) {
      merged.set(
        name,
        mergeValue(fieldOf(schema, name), merged.get(name), change, changes[deletePrimitives + name]),
      );
    }
  }
  for (const [name, order] of Object.entries(changes)) {
    if (!name.startsWith(elementOrder)) continue;
    const target = name.slice(elementOrder.length);
    const list = merged.get(target);
    if (!Array.isArray(order)) throw badPatch(`${name} must be a list`);
    if (!Array.isArray(list)) continue;
    const key = fieldOf(schema, target)?.mergeKey ?? '';
    merged.set(target, orderLike(list, order, asList(original[target]), key));
  }
  return Object.fromEntries(merged);
}

function mergeValue(
  schema: SchemaNode | undefined,
  original: unknown,
  change: unknown,
  deleted: unknown,
): unknown {
  if (isObject(change) && schema?.replaces) return cleaned(change);
  if (isObject(change)) return mergeObject(schema, isObject(original) ? original : {}, change);
  if (!Array.isArray(change)) return change;
  if (schema?.mergeKey === undefined) return cleaned(change);
  if (schema.mergeKey === '') return mergePrimitives(asList(original), change, asList(deleted));
  return mergeKeyed(schema, schema.mergeKey, asList(original), change);
}

function mergePrimitives(original: unknown[], change: unknown[], deleted: unknown[]): unknown[] {
  const kept = original.filter((item) => !deleted.includes(item));
  return orderLike([...new Set([...kept, ...change])], change, original, '');
}

function mergeKeyed(schema: SchemaNode, key: string, original: unknown[], change: unknown[]): unknown[] {
  const items = change.map((item) => {
    if (!isObject(item))
      throw badPatch(`a list that merges by ${key} takes only objects, got ${JSON.stringify(item)}`);
    return item;
  });
  if (items.some((item) => item.$patch === 'replace' && item[key] === undefined)) {
    return items.filter((item) => item.$patch !== 'replace').map(cleaned);
  }
  let merged = [...original];
  for (const item of items) {
    const id = item[key];
    if (id === undefined) {
      throw badPatch(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    }
    const isSame = (other: unknown) => isObject(other) && other[key] === id;
    if (item.$patch === 'delete') {
      merged = merged.filter((other) => !isSame(other));
      continue;
    }
    const index = merged.findIndex(isSame);
    const before = index >= 0 ? (merged[index] as Fields) : {};
    const after = mergeObject(schema.item, before, item);
    if (index >= 0) merged[index] = after;
    else merged.push(after);
  }
  // What the patch names comes in its order, unless a directive says otherwise afterwards.
  const named = items.filter((item) => item.$patch !== 'delete');
  return orderLike(merged, named, original, key);
}

function retainKeys(merged: Map<string, unknown>, retained: unknown, changes: Fields): void {
  if (!Array.isArray(retained)) throw badPatch('$retainKeys must be a list');
  const stray = Object.keys(changes).find(
    (name) => !name.startsWith('$') && changes[name] !== null && !retained.includes(name),
  );
  if (stray !== undefined)
    throw badPatch(`$retainKeys must name every field of the patch, but lacks ${JSON.stringify(stray)}`);
  for (const name of [...merged.keys()]) if (!retained.includes(name)) merged.delete(name);
}

function fieldOf(schema: SchemaNode | undefined, name: string): SchemaNode | undefined {
  if (schema?.type === 'map') return schema.item;
  return schema?.fields && Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
}

// A value that is taken over as a whole must not carry directives or nulls into the object.
function cleaned(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((item) => !(isObject(item) && item.$patch === 'delete')).map(cleaned);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(
    ([name, field]) =>
      field !== null && !/^\$(patch$|retainKeys$|setElementOrder\/|deleteFromPrimitiveList\/)/.test(name),
  );
  return Object.fromEntries(kept.map(([name, field]) => [name, cleaned(field)]));
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badPatch(why: string): StatusError {
  return new StatusError('BadRequest', `error decoding patch: ${why}`);
}
