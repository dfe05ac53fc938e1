import { itemsOf, type JsonSchema, restOf } from '../custom/json-schema.ts';
import { escapeProperty } from './escape.ts';
import {
  boolType,
  type CelField,
  type CelType,
  doubleType,
  dynType,
  intType,
  type ListMerge,
} from './types.ts';

/** The largest request that Kubernetes reckons with; what has no bound of its own is bounded by it. */
export const requestBytesMax = 3 * 1024 * 1024;

interface Sized {
  readonly type: CelType;
  /** The fewest bytes that a value takes in JSON. */
  readonly bytesMin: number;
}

/**
 * The type of values of a structural schema, undefined where rules cannot reach them (unknown fields). Bounds for cost
 * estimates come from maxLength, maxItems and maxProperties, else from what fits in a request.
 */
export function typeOfSchema(schema: JsonSchema, { isRoot = false } = {}): CelType | undefined {
  return sizedType(schema, isRoot)?.type;
}

function sizedType(schema: JsonSchema, isRoot: boolean): Sized | undefined {
  if (schema['x-kubernetes-int-or-string']) {
    const maxElements = schema.maxLength === undefined ? requestBytesMax - 2 : schema.maxLength * 4;
    return { type: { ...dynType, maxElements } as CelType, bytesMin: 1 };
  }
  switch (schema.type) {
    case 'array':
      return listType(schema);
    case 'object':
      return restOf(schema) && !isRoot && !schema['x-kubernetes-embedded-resource']
        ? mapType(schema)
        : fieldsType(schema, isRoot);
    case 'string':
      return textType(schema);
    case 'boolean':
      return { type: boolType, bytesMin: 4 };
    case 'number':
      return { type: doubleType, bytesMin: 1 };
    case 'integer':
      return { type: intType, bytesMin: 1 };
  }
  return undefined;
}

const inside = (schema: JsonSchema) => sizedType(schema, schema['x-kubernetes-embedded-resource'] === true);

function listType(schema: JsonSchema): Sized | undefined {
  const items = itemsOf(schema);
  const item = items && inside(items);
  if (!item) return undefined;
  const maxElements = schema.maxItems ?? Math.floor((requestBytesMax - 2) / (item.bytesMin + 1));
  const merge = mergeOf(schema);
  return { type: { kind: 'list', item: item.type, maxElements, ...(merge && { merge }) }, bytesMin: 2 };
}

function mergeOf(schema: JsonSchema): ListMerge | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return { type: 'set' };
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined;
  return {
    type: 'map',
    keys: (schema['x-kubernetes-list-map-keys'] ?? []).map((key) => escapeProperty(key) ?? key),
  };
}

/** Kubernetes' estimates take the keys of a map to be empty. */
const keyType: CelType = { kind: 'string', maxElements: 0 };

function mapType(schema: JsonSchema): Sized | undefined {
  const value = inside(restOf(schema)!);
  if (!value) return undefined;
  const maxElements = schema.maxProperties ?? Math.floor((requestBytesMax - 2) / (value.bytesMin + 6));
  return { type: { kind: 'map', key: keyType, value: value.type, maxElements }, bytesMin: 2 };
}

const plainText: JsonSchema = { type: 'string' };
const objectMeta: JsonSchema = { type: 'object', properties: { name: plainText, generateName: plainText } };

function fieldsType(schema: JsonSchema, isRoot: boolean): Sized {
  const fields = new Map<string, CelField>();
  let bytesMin = 2;
  const root = isRoot ? { kind: plainText, apiVersion: plainText, metadata: objectMeta } : {};
  for (const [property, each] of Object.entries({ ...schema.properties, ...root })) {
    // The names of an object's metadata are known even where its schema says nothing of them.
    const field = inside(
      isRoot && property === 'metadata'
        ? {
            ...objectMeta,
            properties: { ...objectMeta.properties, ...schema.properties?.metadata?.properties },
          }
        : each,
    );
    if (!field) continue;
    const name = escapeProperty(property);
    if (name !== undefined) fields.set(name, { type: field.type, property });
    if (schema.required?.includes(property) && each.default === undefined) {
      bytesMin += property.length + field.bytesMin + 4;
    }
  }
  return { type: { kind: 'object', name: objectName(fields), fields }, bytesMin };
}

// Two objects can be compared where their fields are the same.
let objects = 0;
const names = new WeakMap<ReadonlyMap<string, CelField>, string>();
function objectName(fields: ReadonlyMap<string, CelField>): string {
  const known = names.get(fields) ?? `selfType.${++objects}`;
  names.set(fields, known);
  return known;
}

function textType(schema: JsonSchema): Sized {
  const bounded = requestBytesMax - 2;
  switch (schema.format) {
    case 'byte':
      return { type: { kind: 'bytes', maxElements: schema.maxLength ?? bounded }, bytesMin: 2 };
    case 'duration':
      return { type: { kind: 'duration', maxElements: 32 }, bytesMin: 3 };
    case 'date':
      return { type: { kind: 'timestamp', format: 'date', maxElements: 12 }, bytesMin: 12 };
    case 'date-time':
      return { type: { kind: 'timestamp', maxElements: 32 }, bytesMin: 21 };
  }
  return { type: { kind: 'string', maxElements: textLength(schema) ?? bounded }, bytesMin: 2 };
}

// A character of maxLength may take four bytes.
function textLength(schema: JsonSchema): number | undefined {
  if (schema.maxLength !== undefined) return Math.max(0, schema.maxLength) * 4;
  if (!schema.enum || schema.enum.length === 0) return undefined;
  return Math.max(
    0,
    ...schema.enum.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : 0)),
  );
}
