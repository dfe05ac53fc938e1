import type { JsonSchema } from '../custom/json-schema.ts';
import {
  any,
  boolean,
  integer,
  list,
  map,
  number,
  object,
  required,
  type Schema,
  type SchemaNode,
  string,
} from '../schema.ts';

const group = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

const validationRule = object(`${group}.ValidationRule`, {
  rule: required(
    string({ doc: 'The rule in CEL; `self` is the value, `oldSelf` what it was.', mayBeEmpty: true }),
  ),
  message: string({ doc: 'What is told where it does not hold.' }),
  messageExpression: string({ doc: 'The same, as a CEL expression.' }),
  reason: string({
    doc: 'FieldValueInvalid, FieldValueForbidden, FieldValueRequired or FieldValueDuplicate.',
  }),
  fieldPath: string({ doc: 'The field below this one that is told to be wrong.' }),
  optionalOldSelf: boolean({
    doc: 'Whether `oldSelf` is an optional, so that the rule holds for a create too.',
  }),
});

const fields: Record<string, SchemaNode> = {
  $ref: string(),
  $schema: string(),
  additionalItems: any(),
  additionalProperties: any({ doc: 'The schema of all other members, or whether there may be any.' }),
  allOf: { type: 'list' },
  anyOf: { type: 'list' },
  default: any({ doc: 'The value of a field that is left out.' }),
  definitions: { type: 'map' },
  dependencies: map(any()),
  description: string({ doc: 'What `kubectl explain` shows.' }),
  enum: list(any(), { doc: 'The values that are allowed.' }),
  example: any(),
  exclusiveMaximum: boolean(),
  exclusiveMinimum: boolean(),
  externalDocs: object(`${group}.ExternalDocumentation`, { description: string(), url: string() }),
  format: string({ doc: 'A form of a string, such as date-time, ipv4 or uuid.' }),
  id: string(),
  items: any({ doc: 'The schema of the items of a list.' }),
  maxItems: integer(),
  maxLength: integer(),
  maxProperties: integer(),
  maximum: number(),
  minItems: integer(),
  minLength: integer(),
  minProperties: integer(),
  minimum: number(),
  multipleOf: number(),
  not: { type: 'object' },
  nullable: boolean({ doc: 'Whether null is a value.' }),
  oneOf: { type: 'list' },
  pattern: string({ doc: 'A regular expression (RE2).' }),
  patternProperties: { type: 'map' },
  properties: { type: 'map' },
  required: list(string(), { doc: 'The members that must be there.' }),
  title: string(),
  type: string({ doc: 'array, boolean, integer, number, object or string.' }),
  uniqueItems: boolean(),
  'x-kubernetes-embedded-resource': boolean({ doc: 'Whether the value is an object of the API itself.' }),
  'x-kubernetes-int-or-string': boolean({ doc: 'Whether the value is a number or a text.' }),
  'x-kubernetes-list-map-keys': list(string(), {
    doc: 'The fields that tell the items of a list of the type map apart.',
  }),
  'x-kubernetes-list-type': string({ doc: 'How server-side apply sees a list: atomic, set or map.' }),
  'x-kubernetes-map-type': string({ doc: 'How server-side apply sees an object: granular or atomic.' }),
  'x-kubernetes-preserve-unknown-fields': boolean({ doc: 'Whether fields that are not declared are kept.' }),
  'x-kubernetes-validations': {
    ...list(validationRule, { doc: 'Rules in CEL.' }),
    listType: 'map',
    listKeys: ['rule'],
  },
};

const node: SchemaNode = {
  type: 'object',
  name: `${group}.JSONSchemaProps`,
  doc: 'JSONSchemaProps is a schema in the terms of OpenAPI 3.0, as far as Kubernetes takes them.',
  fields,
};

// A schema has schemas in it, which no expression can say.
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const schemaIfObject = (value: unknown) => (isObject(value) ? node : undefined);
const schemas: SchemaNode = { type: 'list', item: node, listType: 'atomic' };
for (const name of ['allOf', 'anyOf', 'oneOf']) fields[name] = schemas;
for (const name of ['definitions', 'patternProperties', 'properties'])
  fields[name] = { type: 'map', item: node };
fields.not = node;
for (const name of ['additionalItems', 'additionalProperties']) {
  fields[name] = { ...fields[name]!, choose: schemaIfObject };
}
fields.items = {
  ...fields.items!,
  choose: (value) => (Array.isArray(value) ? schemas : schemaIfObject(value)),
};
fields.dependencies = { type: 'map', item: { type: 'any', choose: schemaIfObject } };

export const jsonSchemaProps = node as Schema<JsonSchema, false>;
