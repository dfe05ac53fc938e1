import type { KindDefinition } from '../kind.ts';
import { objectMeta } from '../parts/meta.ts';
import type { SchemaNode } from '../schema.ts';
import { metaComponents } from './meta-components.ts';
import { usualDocs } from './usual-docs.ts';

/** A JSON Schema object as OpenAPI has it. */
export type JsonSchema = Record<string, unknown>;

/** The two versions differ in where components lie and in what a schema may say. */
export interface Dialect {
  version: 2 | 3;
  ref(name: string): string;
}

export const openapi2: Dialect = { version: 2, ref: (name) => `#/definitions/${name}` };
export const openapi3: Dialect = { version: 3, ref: (name) => `#/components/schemas/${name}` };

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** The schemas of the kinds and of all that they refer to, by component name. */
export function componentsOf(kinds: readonly KindDefinition[], dialect: Dialect): Record<string, JsonSchema> {
  const found = new Map<string, JsonSchema>(Object.entries(metaComponents(dialect)));
  const visit = (schema: SchemaNode): void => {
    const node = schema.base ?? schema;
    if (node.name && found.has(node.name)) return;
    // Before what is inside it, which may be it again.
    if (node.name) found.set(node.name, objectSchema(node, dialect));
    if (node.item) visit(node.item);
    for (const field of Object.values(node.fields ?? {})) visit(field);
  };
  for (const kind of kinds) {
    if (kind.custom) visit(objectMeta);
    else visit(kind.schema);
    const { group, version } = kind;
    const name = kind.schema.name!;
    if (kind.custom) found.set(name, kind.custom.openapi(dialect.version));
    found.set(name, {
      ...found.get(name),
      'x-kubernetes-group-version-kind': [{ group, kind: kind.kind, version }],
    });
    found.set(`${name}List`, listSchema(kind, dialect));
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function objectSchema(node: SchemaNode, dialect: Dialect): JsonSchema {
  const fields = Object.entries(node.fields!);
  const required = fields.filter(([, field]) => field.required).map(([name]) => name);
  return {
    ...(node.doc && { description: node.doc }),
    type: 'object',
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(
      fields.map(([name, field]) => [name, fieldSchema(withDoc(name, field), dialect)]),
    ),
    ...(node.listType === 'atomic' && { 'x-kubernetes-map-type': 'atomic' }),
  };
}

/** A field without words of its own has those of its type, or what fields of its name usually say. */
function withDoc(name: string, field: SchemaNode): SchemaNode {
  const doc = field.doc ?? (field.base ?? field).doc ?? usualDocs[name];
  return field.doc === doc ? field : { ...field, base: field.base ?? field, doc: doc! };
}

function listSchema(kind: KindDefinition, dialect: Dialect): JsonSchema {
  const { listKind = `${kind.kind}List` } = kind;
  return {
    description: `${listKind} is a list of ${kind.kind} objects.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string', description: 'The version of the schema that the list is written in.' },
      items: { type: 'array', items: reference(kind.schema.name!, dialect), description: 'The objects.' },
      kind: { type: 'string', description: 'What the list is.' },
      metadata: reference(`${meta}.ListMeta`, dialect),
    },
    'x-kubernetes-group-version-kind': [{ group: kind.group, kind: listKind, version: kind.version }],
  };
}

function fieldSchema(field: SchemaNode, dialect: Dialect): JsonSchema {
  const schema = {
    ...typeSchema(field, dialect),
    ...(field.doc && !saysItsType(field) && { description: field.doc }),
    ...(field.default !== undefined && typeof field.default !== 'function' && { default: field.default }),
    ...listExtensions(field),
  };
  const { $ref, ...beside } = schema as JsonSchema;
  // In version 3 a $ref hides what stands beside it; version 2 clients read the description all the same.
  if ($ref === undefined || Object.keys(beside).length === 0 || dialect.version === 2) return schema;
  return { ...beside, allOf: [{ $ref }] };
}

// What an object's type says of itself stands in its component already.
function saysItsType(field: SchemaNode): boolean {
  return field.type === 'object' && field.doc === (field.base ?? field).doc;
}

function typeSchema(node: SchemaNode, dialect: Dialect): JsonSchema {
  switch (node.type) {
    case 'string':
      return { type: 'string', ...(node.values && { enum: [...node.values] }) };
    case 'integer':
      return { type: 'integer', format: 'int32' };
    case 'number':
      return { type: 'number', format: 'double' };
    case 'boolean':
      return { type: 'boolean' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'time':
      return reference(`${meta}.Time`, dialect);
    case 'microTime':
      return reference(`${meta}.MicroTime`, dialect);
    case 'quantity':
      return reference('io.k8s.apimachinery.pkg.api.resource.Quantity', dialect);
    case 'intOrString':
      return reference('io.k8s.apimachinery.pkg.util.intstr.IntOrString', dialect);
    case 'any':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    case 'map':
      return { type: 'object', additionalProperties: fieldSchema(node.item!, dialect) };
    case 'list':
      return { type: 'array', items: fieldSchema(node.item!, dialect) };
    case 'object':
      return reference(node.name!, dialect);
  }
}

function listExtensions(field: SchemaNode): JsonSchema {
  if (field.type === 'map' && field.listType === 'atomic') return { 'x-kubernetes-map-type': 'atomic' };
  if (field.type === 'object' && field.retainKeys) return { 'x-kubernetes-patch-strategy': 'retainKeys' };
  if (field.replaces) return { 'x-kubernetes-patch-strategy': 'replace' };
  if (field.type !== 'list') return {};
  const isMerged = field.mergeKey !== undefined;
  return {
    ...(field.listKeys && { 'x-kubernetes-list-map-keys': [...field.listKeys] }),
    ...(field.listType && { 'x-kubernetes-list-type': field.listType }),
    ...(isMerged && field.mergeKey !== '' && { 'x-kubernetes-patch-merge-key': field.mergeKey }),
    ...(isMerged && { 'x-kubernetes-patch-strategy': field.item?.retainKeys ? 'merge,retainKeys' : 'merge' }),
  };
}

export function reference(name: string, dialect: Dialect): JsonSchema {
  return { $ref: dialect.ref(name) };
}
