import { isEqualJson } from '../equal.ts';
import { isObject, itemsOf, type JsonSchema, memberOf } from './json-schema.ts';

/**
 * A part of an object beside what it was before an update. Parts that did not change may stay as wrong as they were
 * (Kubernetes' validation ratcheting).
 */
export class Correlated {
  readonly value: unknown;
  readonly previous: unknown;
  readonly #schema: JsonSchema | undefined;
  #isSame: boolean | undefined;

  constructor(schema: JsonSchema | undefined, value: unknown, previous: unknown) {
    this.#schema = schema;
    this.value = value;
    this.previous = previous;
  }

  get isSame(): boolean {
    this.#isSame ??= isEqualJson(this.value, this.previous);
    return this.#isSame;
  }

  /** A member; undefined where there is none on either side, or its schema is not known. */
  member(name: string): Correlated | undefined {
    if (!isObject(this.value) || !isObject(this.previous)) return undefined;
    const schema = memberOf(this.#schema, name);
    if (!schema || (!Object.hasOwn(this.value, name) && !Object.hasOwn(this.previous, name)))
      return undefined;
    return new Correlated(schema, this.value[name], this.previous[name]);
  }

  /** An item; undefined unless the list's items are known by keys and one with the same keys was there before. */
  item(index: number): Correlated | undefined {
    if (!Array.isArray(this.value)) return undefined;
    const value = this.value[index];
    const previous = previousItem(this.#schema, value, this.previous);
    return previous === undefined ? undefined : new Correlated(itemsOf(this.#schema), value, previous);
  }
}

/** The item of a list before an update that has the same keys as `item`, in a list of the type map. */
export function previousItem(schema: JsonSchema | undefined, item: unknown, previous: unknown): unknown {
  const keys = schema?.['x-kubernetes-list-map-keys'];
  if (schema?.['x-kubernetes-list-type'] !== 'map' || !keys || !isObject(item)) return undefined;
  if (!Array.isArray(previous)) return undefined;
  const isSame = (other: unknown) =>
    isObject(other) && keys.every((key) => isEqualJson(other[key], item[key]));
  return previous.find(isSame);
}
