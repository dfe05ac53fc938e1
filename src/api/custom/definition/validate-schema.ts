import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { itemsOf, type JsonSchema, restOf } from '../json-schema.ts';
import { validateListType } from './validate-list-type.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const metaFields = ['metadata', 'kind', 'apiVersion'];
const unsupported = [
  'definitions',
  'dependencies',
  'patternProperties',
  'additionalItems',
  'id',
  '$ref',
] as const;

/** What holds below a place in the schema. */
interface Place {
  isRoot?: boolean;
  /** Why no default may be given. */
  noDefaults?: string | undefined;
  isInMetadata?: boolean;
}

/** Reports what OpenAPI has and Kubernetes does not take, and extensions that do not fit. */
export function validateSchema(
  schema: JsonSchema,
  at: Path,
  report: Report,
  place: Place = { isRoot: true },
): void {
  checkKeywords(schema, at, report, place);
  if (schema.uniqueItems) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    report.forbidden(at.child('uniqueItems'), why);
  }
  const inner: Place = { noDefaults: place.noDefaults, isInMetadata: place.isInMetadata ?? false };
  checkMembers(schema, at, report, place, inner);
  if (schema.not) validateSchema(schema.not, at.child('not'), report, inner);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [index, one] of (schema[name] ?? []).entries()) {
      validateSchema(one, at.child(name).index(index), report, inner);
    }
  }
  const items = itemsOf(schema);
  if (items) validateSchema(items, at.child('items'), report, inner);
  checkExtensions(schema, at, report);
  validateListType(schema, at, report);
}

function checkKeywords(schema: JsonSchema, at: Path, report: Report, place: Place): void {
  const { type } = schema;
  if (type && !types.includes(type)) report.unsupported(at.child('type'), type, types);
  if (schema.default !== undefined && place.noDefaults !== undefined) {
    report.forbidden(at.child('default'), `must not be set ${place.noDefaults}`);
  }
  for (const name of unsupported) {
    const value = schema[name];
    const isSet =
      typeof value === 'object' ? Object.keys(value).length > 0 : value !== undefined && value !== '';
    if (isSet) report.forbidden(at.child(name), `${name} is not supported`);
  }
  if (type === 'null') {
    report.forbidden(at.child('type'), 'type cannot be set to null, use nullable as an alternative');
  }
  if (Array.isArray(schema.items)) {
    report.forbidden(at.child('items'), 'items must be a schema object and not an array');
  }
  if (place.isInMetadata && schema['x-kubernetes-embedded-resource']) {
    report.forbidden(at.child('x-kubernetes-embedded-resource'), 'must not be used inside of resource meta');
  }
}

function checkMembers(schema: JsonSchema, at: Path, report: Report, place: Place, inner: Place): void {
  const properties = Object.entries(schema.properties ?? {});
  const restAt = at.child('additionalProperties');
  if (
    schema.additionalProperties !== undefined &&
    properties.length > 0 &&
    schema.additionalProperties !== true
  ) {
    report.forbidden(restAt, 'additionalProperties and properties are mutual exclusive');
  }
  const rest = restOf(schema);
  if (rest) {
    const why = 'inside additionalProperties applying to object metadata';
    validateSchema(rest, restAt, report, place.isInMetadata ? { ...inner, noDefaults: why } : inner);
  }
  const isResource = place.isRoot === true || schema['x-kubernetes-embedded-resource'] === true;
  for (const [name, property] of properties) {
    const isMeta = isResource && metaFields.includes(name);
    const noDefaults = isMeta && place.isRoot ? `in top-level ${name}` : inner.noDefaults;
    const below: Place = isMeta ? { noDefaults, isInMetadata: true } : inner;
    validateSchema(property, at.child('properties').key(name), report, below);
  }
}

function checkExtensions(schema: JsonSchema, at: Path, report: Report): void {
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    report.invalid(at.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined');
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  const why = 'must be object if x-kubernetes-map-type is specified';
  if (!schema.type) report.required(at.child('type'), why);
  else if (schema.type !== 'object') report.invalid(at.child('type'), schema.type, why);
  if (mapType !== 'atomic' && mapType !== 'granular') {
    report.unsupported(at.child('x-kubernetes-map-type'), mapType, ['atomic', 'granular']);
  }
}
