import { objectMeta } from '../parts/meta.ts';
import { any, type SchemaNode, string } from '../schema.ts';
import { itemsOf, type JsonSchema, restOf } from './json-schema.ts';

const typeMetadata: Record<string, SchemaNode> = {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
};

/** A schema as server-side apply sees it: which parts are owned one by one, and by what items are known. */
export function nodeOf(schema: JsonSchema | undefined, name?: string): SchemaNode {
  if (!schema) return any();
  if (schema['x-kubernetes-int-or-string']) return { type: 'intOrString' };
  const given = schema.default === undefined ? {} : { default: schema.default };
  switch (schema.type) {
    case 'object':
      return { ...objectNode(schema, name), ...given };
    case 'array':
      return { ...listNode(schema), ...given };
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { type: schema.type, ...given };
    default:
      return any();
  }
}

function objectNode(schema: JsonSchema, name: string | undefined): SchemaNode {
  const atomic = schema['x-kubernetes-map-type'] === 'atomic' ? { listType: 'atomic' as const } : {};
  const isResource = name !== undefined || schema['x-kubernetes-embedded-resource'] === true;
  const properties = Object.entries(schema.properties ?? {});
  const isMap = !isResource && properties.length === 0;
  if (isMap && schema.additionalProperties) return { type: 'map', item: nodeOf(restOf(schema)), ...atomic };
  if (isMap && schema['x-kubernetes-preserve-unknown-fields']) return { ...any(), ...atomic };
  const fields = Object.fromEntries(properties.map(([property, inner]) => [property, nodeOf(inner)]));
  return {
    type: 'object',
    ...(name !== undefined && { name }),
    ...(schema.description && { doc: schema.description }),
    fields: isResource ? { ...fields, ...typeMetadata } : fields,
    ...atomic,
  };
}

function listNode(schema: JsonSchema): SchemaNode {
  const item = nodeOf(itemsOf(schema));
  const listKeys = schema['x-kubernetes-list-map-keys'];
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'map' && listKeys) return { type: 'list', item, listType, listKeys };
  return { type: 'list', item, listType: listType === 'set' ? 'set' : 'atomic' };
}
