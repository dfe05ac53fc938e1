import { isObject, type JsonSchema } from './json-schema.ts';

type Published = Record<string, unknown>;

const objectMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const metadataDoc = "Standard object's metadata.";
const typeFields = {
  apiVersion: { type: 'string', description: 'The version of the schema that the object is written in.' },
  kind: { type: 'string', description: 'What the object is.' },
};

/** The schema of a kind as OpenAPI publishes it. Version 2 says less: its clients stumble over the rest. */
export function publishedSchema(schema: JsonSchema, version: 2 | 3): Published {
  // Clients would take an object with some properties for one that has no others.
  if (version === 2 && schema['x-kubernetes-preserve-unknown-fields']) return { type: 'object' };
  return asResource(publish(schema, version), version);
}

function publish(schema: JsonSchema, version: 2 | 3): Published {
  if (version === 2 && (schema.nullable || schema['x-kubernetes-preserve-unknown-fields'])) {
    return { ...(schema.description && { description: schema.description }), ...openMarks(schema) };
  }
  const { properties, items, additionalProperties, ...rest } = schema;
  const inner = (value: JsonSchema) => publish(value, version);
  const published: Published = version === 2 ? withoutAlternatives(rest) : publishedAlternatives(rest);
  if (properties) {
    published.properties = Object.fromEntries(
      Object.entries(properties).map(([name, one]) => [name, inner(one)]),
    );
  }
  if (items && !Array.isArray(items)) published.items = inner(items);
  if (isObject(additionalProperties))
    published.additionalProperties = inner(additionalProperties as JsonSchema);
  if (additionalProperties === true && version === 3) published.additionalProperties = true;
  if (version === 2 && published.required) {
    const required = (schema.required ?? []).filter((name) => !properties?.[name]?.nullable);
    published.required = required.length > 0 ? required : undefined;
  }
  if (schema['x-kubernetes-int-or-string'] && version === 3 && !published.anyOf && !published.allOf) {
    published.anyOf = [{ type: 'integer' }, { type: 'string' }];
  }
  return schema['x-kubernetes-embedded-resource'] ? asResource(published, version) : published;
}

function openMarks(schema: JsonSchema): Published {
  return schema['x-kubernetes-preserve-unknown-fields']
    ? { 'x-kubernetes-preserve-unknown-fields': true }
    : {};
}

function withoutAlternatives(schema: JsonSchema): Published {
  const { allOf: _allOf, anyOf: _anyOf, oneOf: _oneOf, not: _not, nullable: _nullable, ...rest } = schema;
  return { ...rest };
}

function publishedAlternatives(schema: JsonSchema): Published {
  return { ...schema };
}

function asResource(published: Published, version: 2 | 3): Published {
  const prefix = version === 2 ? '#/definitions/' : '#/components/schemas/';
  const $ref = prefix + objectMetaName;
  const metadata =
    version === 2 ? { $ref, description: metadataDoc } : { allOf: [{ $ref }], description: metadataDoc };
  const properties = { ...(published.properties as Published | undefined), ...typeFields, metadata };
  return { type: 'object', ...published, properties };
}
