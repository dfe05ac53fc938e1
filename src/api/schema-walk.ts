import type { SchemaNode } from './schema.ts';

type Field = readonly [name: string, schema: SchemaNode];

/**
 * Where in schemas there is something that `has` tells. Most of a schema has no default and no check of a change, and
 * whoever walks an object for those passes over the rest.
 */
export class Within {
  readonly #has: (schema: SchemaNode) => boolean;
  readonly #known = new WeakMap<SchemaNode, boolean>();
  readonly #fields = new WeakMap<SchemaNode, readonly Field[]>();

  constructor(has: (schema: SchemaNode) => boolean) {
    this.#has = has;
  }

  /** Whether the schema, or a part of it, has it. */
  isIn(schema: SchemaNode): boolean {
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    // A schema may contain itself: as long as it is not known, it is walked.
    this.#known.set(schema, true);
    const parts = [...Object.values(schema.fields ?? {}), ...(schema.item ? [schema.item] : [])];
    const answer = this.#has(schema) || parts.some((part) => this.isIn(part));
    this.#known.set(schema, answer);
    return answer;
  }

  /** The fields of an object that have it. */
  fieldsOf(schema: SchemaNode): readonly Field[] {
    let fields = this.#fields.get(schema);
    if (!fields) {
      fields = Object.entries(schema.fields ?? {}).filter(([, field]) => this.isIn(field));
      this.#fields.set(schema, fields);
    }
    return fields;
  }
}
