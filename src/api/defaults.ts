import { clone } from './clone.ts';
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './object.ts';
import type { SchemaNode } from './schema.ts';
import { Within } from './schema-walk.ts';

/** A copy of the object with what Kubernetes fills in when it is left out. */
export function defaults<T extends KubeObject>(kind: KindDefinition<T>, object: T): T {
  // A custom resource has no static type of its own: T is KubeObject.
  if (kind.custom) return kind.custom.defaults(object) as T;
  const copy = clone(object);
  applyDefaults(kind.schema, copy);
  return copy;
}

const filled = new Within((schema) => schema.default !== undefined || schema.complete !== undefined);

function applyDefaults(schema: SchemaNode, value: unknown): void {
  if (typeof value !== 'object' || value === null || !filled.isIn(schema)) return;
  if (schema.type === 'list') for (const item of value as unknown[]) applyDefaults(schema.item!, item);
  if (schema.type === 'map') for (const item of Object.values(value)) applyDefaults(schema.item!, item);
  if (schema.type !== 'object') return;
  const parent = value as Record<string, unknown>;
  for (const [name, field] of filled.fieldsOf(schema)) {
    if (parent[name] === undefined && field.default !== undefined) {
      const given = typeof field.default === 'function' ? field.default(parent) : clone(field.default);
      if (given !== undefined) parent[name] = given;
    }
    applyDefaults(field, parent[name]);
  }
  schema.complete?.(value);
}
