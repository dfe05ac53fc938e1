import { StatusError } from '../base/errors.ts';
import { decodeScalar, isCanonical, jsonTypeOf, typeMismatch } from './decode-scalar.ts';
import type { KindDefinition } from './kind.ts';
import { apiVersionOf, type KubeObject } from './object.ts';
import type { SchemaNode } from './schema.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** More strict errors or warnings than this are not collected (Kubernetes has the same bound). */
export const strictErrorsMax = 100;

export interface DecodeOptions {
  /** `Warn` if absent. */
  fieldValidation?: FieldValidation | undefined;
  /** Paths that occur twice in the text, from `duplicateFields`. */
  duplicates?: readonly string[];
}

/**
 * Turns parsed JSON into an object of the kind: unknown fields and nulls are dropped, quantities and times put into
 * their canonical form. Throws BadRequest for a wrong JSON type and, when Strict, for unknown or duplicate fields.
 */
export function decode<T extends KubeObject>(
  kind: KindDefinition<T>,
  value: unknown,
  options: DecodeOptions = {},
): { object: T; warnings: string[] } {
  // A custom resource has no static type of its own: T is KubeObject.
  if (kind.custom) return kind.custom.decode(value, options) as { object: T; warnings: string[] };
  const fail = (why: string): never => {
    throw new StatusError(
      'BadRequest',
      `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`,
    );
  };
  checkType(kind, value);
  const strict = (options.duplicates ?? []).map((path) => `duplicate field "${path}"`);
  const decoded = decodeNode(kind.schema, value, {
    struct: kind.kind,
    go: '',
    at: '',
    fail,
    unknown: (path) => strict.push(`unknown field "${path}"`),
  }) as Record<string, unknown>;
  const found = [...new Set(strict)].slice(0, strictErrorsMax);
  if (options.fieldValidation === 'Strict' && found.length > 0) {
    fail(`strict decoding error: ${found.join(', ')}`);
  }
  // decodeNode() has given every field the type that the schema, and so T, declares.
  const object = { ...decoded, apiVersion: apiVersionOf(kind), kind: kind.kind } as T;
  return { object, warnings: options.fieldValidation === 'Ignore' ? [] : found };
}

/** Throws BadRequest for what is no object, or one of another kind or version. */
export function checkType(kind: KindDefinition, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const why =
      value === undefined
        ? 'unexpected end of JSON input (<empty>)'
        : `json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`;
    throw new StatusError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind; json parse error: ${why}`,
    );
  }
  const { apiVersion, kind: name } = value as KubeObject;
  const expected = apiVersionOf(kind);
  if (apiVersion && apiVersion !== expected) {
    throw new StatusError(
      'BadRequest',
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (name && name !== kind.kind) {
    throw new StatusError(
      'BadRequest',
      `the kind in the data (${name}) does not match the expected kind (${kind.kind})`,
    );
  }
}

/** Decodes a part of an object that is otherwise no kind of this server's own. */
export function decodePart(schema: SchemaNode, value: unknown, place: Place): unknown {
  return decodeNode(schema, value, place);
}

/** Where decoding stands; `go` is the path as Go's decoder names it, without indexes. */
export interface Place {
  struct: string;
  go: string;
  at: string;
  fail(why: string): never;
  unknown(path: string): void;
}

function decodeNode(schema: SchemaNode, value: unknown, place: Place): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  switch (schema.type) {
    case 'any': {
      const chosen = schema.choose?.(value);
      return chosen ? decodeNode(chosen, value, place) : value;
    }
    case 'object':
      return isObject ? decodeObject(schema, value, place) : place.fail(typeMismatch(schema, value, place));
    case 'map':
      return isObject ? decodeMap(schema, value, place) : place.fail(typeMismatch(schema, value, place));
    case 'list':
      if (!Array.isArray(value)) return place.fail(typeMismatch(schema, value, place));
      return value.map((item, index) =>
        decodeNode(schema.item!, item ?? emptyOf(schema.item!), { ...place, at: `${place.at}[${index}]` }),
      );
    default:
      return decodeScalar(schema, value, place);
  }
}

function decodeObject(schema: SchemaNode, value: object, place: Place): object {
  const decoded: Record<string, unknown> = {};
  const struct = schema.name?.split('.').at(-1) ?? place.struct;
  for (const [name, field] of Object.entries(value)) {
    const fieldSchema = Object.hasOwn(schema.fields!, name) ? schema.fields![name] : undefined;
    // Most of an object is plain texts and numbers, of which nothing can be wrong.
    if (fieldSchema && isCanonical(fieldSchema, field)) {
      decoded[name] = field;
      continue;
    }
    const at = place.at === '' ? name : `${place.at}.${name}`;
    if (fieldSchema === undefined) place.unknown(at);
    else if (field !== null && field !== undefined) {
      decoded[name] = decodeNode(fieldSchema, field, {
        ...place,
        struct,
        at,
        go: place.go === '' ? name : `${place.go}.${name}`,
      });
    }
  }
  return decoded;
}

function decodeMap(schema: SchemaNode, value: object, place: Place): object {
  const item = schema.item!;
  if (Object.values(value).every((each) => isCanonical(item, each))) return { ...value };
  const entries = Object.entries(value).map(([key, each]) => [
    key,
    decodeNode(item, each ?? emptyOf(item), { ...place, at: `${place.at}.${key}` }),
  ]);
  return Object.fromEntries(entries);
}

/** Go decodes a null inside a list or map to the zero value. */
function emptyOf(schema: SchemaNode): unknown {
  if (schema.type === 'any') return null;
  if (schema.type === 'object' || schema.type === 'map') return {};
  if (schema.type === 'list') return [];
  if (schema.type === 'boolean') return false;
  return schema.type === 'string' || schema.type === 'bytes' ? '' : 0;
}
