import { clone } from '../clone.ts';
import {
  type Fields,
  isObject,
  itemsOf,
  type JsonSchema,
  memberOf,
  restOf,
  someSchema,
} from './json-schema.ts';

const known = new WeakMap<JsonSchema, boolean>();

/** Whether a schema fills anything in. */
export function hasDefaults(schema: JsonSchema): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    answer = someSchema(schema, (inner) => hasDefault(inner));
    known.set(schema, answer);
  }
  return answer;
}

/**
 * Fills in, in place, what is left out and has a default, and takes out the nulls that the schema does not allow.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting
 */
export function applyDefaults(schema: JsonSchema, object: Fields): void {
  if (hasDefaults(schema)) fillIn(schema, object);
}

function fillIn(schema: JsonSchema | undefined, value: unknown): void {
  if (!schema) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [index, item] of value.entries()) {
      if (isWrongNull(items, item) && hasDefault(items)) value[index] = clone(items!.default);
      fillIn(items, value[index]);
    }
  } else if (isObject(value)) {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const isMissing = !Object.hasOwn(value, name) || isWrongNull(property, value[name]);
      if (isMissing && hasDefault(property)) value[name] = clone(property.default);
    }
    const rest = restOf(schema);
    for (const name of Object.keys(value)) {
      if (rest && isWrongNull(rest, value[name]) && hasDefault(rest)) value[name] = clone(rest.default);
      fillIn(memberOf(schema, name), value[name]);
    }
  }
}

/** Takes nulls out, in place, of members that may not be null and have no default to take its place. */
export function dropNulls(schema: JsonSchema | undefined, value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) dropNulls(itemsOf(schema), item);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      const member = memberOf(schema, name);
      if (isWrongNull(member, value[name]) && !hasDefault(member)) delete value[name];
      else dropNulls(member, value[name]);
    }
  }
}

function hasDefault(schema: JsonSchema | undefined): boolean {
  return schema?.default !== undefined && schema.default !== null;
}

function isWrongNull(schema: JsonSchema | undefined, value: unknown): boolean {
  return value === null && schema !== undefined && schema.nullable !== true;
}
