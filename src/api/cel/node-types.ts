import type { KindDefinition } from '../kind.ts';
import type { SchemaNode } from '../schema.ts';
import { typeOfSchema } from './schema-types.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  dynType,
  intType,
  listOf,
  mapOf,
  objectType,
  stringType,
  timestampType,
} from './types.ts';

const types = new WeakMap<SchemaNode, CelType>();
/** What nests deeper, a schema inside a schema above all, is not typed. */
const depthMax = 40;

/** The type of a kind's objects in expressions of admission; undefined where nothing is known of them. */
export function typeOfKind({ schema, custom }: KindDefinition): CelType | undefined {
  if (!custom) return typeOfNode(schema);
  const type = typeOfSchema(custom.jsonSchema, { isRoot: true });
  const metadata = schema.fields?.metadata;
  if (type?.kind !== 'object' || !metadata) return type;
  // Rules of a definition see a name; admission sees all of the metadata.
  const fields = new Map(type.fields);
  fields.set('metadata', { type: typeOfNode(metadata), property: 'metadata' });
  return { ...type, fields };
}

/** The type of values that follow a declaration. */
export function typeOfNode(node: SchemaNode, depth = 0): CelType {
  const own = node.base ?? node;
  const known = types.get(own);
  if (known) return known;
  const type = depth > depthMax ? dynType : made(node, depth + 1);
  types.set(own, type);
  return type;
}

function made(node: SchemaNode, depth: number): CelType {
  switch (node.type) {
    case 'string':
    case 'quantity':
      return stringType;
    case 'integer':
      return intType;
    case 'number':
      return doubleType;
    case 'boolean':
      return boolType;
    case 'time':
    case 'microTime':
      return timestampType;
    case 'bytes':
      return bytesType;
    case 'list':
      return listOf(node.item ? typeOfNode(node.item, depth) : dynType);
    case 'map':
      return mapOf(stringType, node.item ? typeOfNode(node.item, depth) : dynType);
    case 'object': {
      const fields = Object.entries(node.fields ?? {});
      return objectType(
        node.name ?? 'object',
        Object.fromEntries(fields.map(([name, field]) => [name, typeOfNode(field, depth)])),
      );
    }
    default:
      return dynType;
  }
}
