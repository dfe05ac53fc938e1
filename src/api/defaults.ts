import { clone } from './clone.ts';
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './object.ts';
import type { SchemaNode } from './schema.ts';

/** A copy of the object with what Kubernetes fills in when it is left out. */
export function defaults<T extends KubeObject>(kind: KindDefinition<T>, object: T): T {
  // A custom resource has no static type of its own: T is KubeObject.
  if (kind.custom) return kind.custom.defaults(object) as T;
  const copy = clone(object);
  applyDefaults(kind.schema, copy);
  return copy;
}

function applyDefaults(schema: SchemaNode, value: unknown): void {
  if (!hasDefaults(schema) || typeof value !== 'object' || value === null) return;
  if (schema.type === 'list') for (const item of value as unknown[]) applyDefaults(schema.item!, item);
  if (schema.type === 'map') for (const item of Object.values(value)) applyDefaults(schema.item!, item);
  if (schema.type !== 'object') return;
  const parent = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(schema.fields!)) {
    if (parent[name] === undefined && field.default !== undefined) {
      const filled = typeof field.default === 'function' ? field.default(parent) : clone(field.default);
      if (filled !== undefined) parent[name] = filled;
    }
    applyDefaults(field, parent[name]);
  }
  schema.complete?.(value);
}

const known = new WeakMap<SchemaNode, boolean>();

/** Most of a schema has no defaults, and is not walked. */
function hasDefaults(schema: SchemaNode): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    known.set(schema, false); // A schema may contain itself.
    const inside = [...Object.values(schema.fields ?? {}), ...(schema.item ? [schema.item] : [])];
    answer =
      schema.complete !== undefined ||
      inside.some((field) => field.default !== undefined || hasDefaults(field));
    known.set(schema, answer);
  }
  return answer;
}
