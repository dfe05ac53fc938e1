import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { itemsOf, type JsonSchema } from '../json-schema.ts';

const listTypes = ['atomic', 'set', 'map'];

/** Reports `x-kubernetes-list-type` and `x-kubernetes-list-map-keys` that do not fit the list. */
export function validateListType(schema: JsonSchema, at: Path, report: Report): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const listTypeAt = at.child('x-kubernetes-list-type');
  if (keys.length > 0 && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    if (listType === undefined) report.required(listTypeAt, why);
    else report.invalid(listTypeAt, listType, why);
  }
  if (listType === undefined) return;
  const why = 'must be array if x-kubernetes-list-type is specified';
  if (!schema.type) report.required(at.child('type'), why);
  else if (schema.type !== 'array') report.invalid(at.child('type'), schema.type, why);
  else if (listType === 'set') checkSetItems(itemsOf(schema), at.child('items'), report);
  if (!listTypes.includes(listType)) report.unsupported(listTypeAt, listType, listTypes);
  if (listType === 'map') checkKeys(schema, keys, at, report);
  if (listType !== 'atomic' && itemsOf(schema)?.nullable) {
    const nullableAt = at.child('items').child('nullable');
    report.forbidden(nullableAt, `cannot be nullable when x-kubernetes-list-type is ${listType}`);
  }
}

/** What is compared as a whole must be owned as a whole. */
function checkSetItems(items: JsonSchema | undefined, at: Path, report: Report): void {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const { 'x-kubernetes-list-type': listType = 'atomic', 'x-kubernetes-map-type': mapType } = items ?? {};
  if (items?.type === 'array' && listType !== 'atomic') {
    report.invalid(at.child('x-kubernetes-list-type'), listType, why);
  }
  if (items?.type === 'object' && mapType !== 'atomic') {
    report.invalid(at.child('x-kubernetes-map-type'), mapType, why);
  }
}

function checkKeys(schema: JsonSchema, keys: readonly string[], at: Path, report: Report): void {
  const keysAt = at.child('x-kubernetes-list-map-keys');
  const itemsAt = at.child('items');
  const items = itemsOf(schema);
  if (keys.length === 0) report.required(keysAt, 'must not be empty if x-kubernetes-list-type is map');
  if (!items) {
    report.required(itemsAt, 'must have a schema if x-kubernetes-list-type is map');
    return;
  }
  if (items.type !== 'object') {
    report.invalid(
      itemsAt.child('type'),
      items.type ?? '',
      "must be object if parent array's x-kubernetes-list-type is map",
    );
    return;
  }
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key];
    const propertyAt = itemsAt.child('properties').key(key);
    if (!property) report.invalid(keysAt, keys, 'entries must all be names of item properties');
    else if (property.type === 'array' || property.type === 'object') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      report.invalid(propertyAt.child('type'), items.type, why);
    }
    if (keys.indexOf(key) < index) report.invalid(keysAt, keys, 'must not contain duplicate entries');
    if (property) checkKeyIsThere(items, key, property, propertyAt, report);
  }
}

function checkKeyIsThere(
  items: JsonSchema,
  key: string,
  property: JsonSchema,
  at: Path,
  report: Report,
): void {
  const why = 'this property is in x-kubernetes-list-map-keys, so it';
  if (!items.required?.includes(key) && property.default === undefined) {
    report.required(at.child('default'), `${why} must have a default or be a required property`);
  }
  if (property.nullable) report.forbidden(at.child('nullable'), `${why} cannot be nullable`);
}
