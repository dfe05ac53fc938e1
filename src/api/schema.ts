import type { Path } from './path.ts';
import type { Report } from './report.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Parent = Record<string, unknown>;

/** Adds what is wrong with `value` (which has the right JSON type) to `report`. */
export type Check<T> = (value: T, at: Path, report: Report) => void;
/** Like Check, for an update: `next` and `previous` may each be absent. */
export type UpdateCheck<T> = (next: T | undefined, previous: T | undefined, at: Path, report: Report) => void;

/** What may be said of any field, beside its type. */
export interface Traits<T> {
  /** What `kubectl explain` shows. */
  doc?: string;
  /** The value of an absent field; a function sees the fields before it in the same object. */
  default?: NoInfer<Partial<T>> | ((parent: Parent) => NoInfer<T> | undefined);
  /** Fills in what depends on several fields of an object; runs after the defaults of its fields, owns `value`. */
  complete?: (value: NoInfer<T>) => void;
  /** A required text or list may still be empty. */
  mayBeEmpty?: boolean;
  /** What is said of a required field that is not there, beside that it is required. */
  absent?: string;
  /** Of what is inside, nothing is checked but its types. */
  insideUnchecked?: true;
  /** Integers and numbers: inclusive bounds. Kubernetes has its own words for 0..∞, 1..∞ and ports. */
  min?: number;
  max?: number;
  /** A strategic merge patch replaces the object as a whole. */
  replaces?: true;
  check?: Check<NoInfer<T>>;
  checkUpdate?: UpdateCheck<NoInfer<T>>;
}

export type SchemaType =
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'object'
  | 'list'
  | 'map'
  | 'any'
  | 'intOrString'
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'bytes';

/** One node of a declaration, without its static type. */
export interface SchemaNode {
  readonly type: SchemaType;
  readonly required?: boolean;
  readonly doc?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a default has the field's type, which the node erases.
  readonly default?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly complete?: (value: any) => void;
  readonly mayBeEmpty?: boolean;
  readonly absent?: string;
  readonly insideUnchecked?: true;
  readonly min?: number;
  readonly max?: number;
  // biome-ignore lint/suspicious/noExplicitAny: a check takes the field's type, which the node erases.
  readonly check?: Check<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly checkUpdate?: UpdateCheck<any>;
  readonly values?: readonly string[];
  /** Its values are told in their order, rather than by name. */
  readonly inOrder?: true;
  /** What `refine` and `required` started from: what is true of the type rather than of one field. */
  readonly base?: SchemaNode;
  /** An object's name among the OpenAPI components, e.g. `io.k8s.api.core.v1.Container`. */
  readonly name?: string;
  readonly fields?: Readonly<Record<string, SchemaNode>>;
  /** kubectl's patches name all fields that are to stay, so that a union changes its member. */
  readonly retainKeys?: boolean;
  readonly replaces?: true;
  readonly item?: SchemaNode;
  /** How server-side apply sees a list (or, `atomic` only, an object or a map). */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listKeys?: readonly string[];
  /** A strategic merge patch merges the list: items by this key, or primitive values when it is ''. */
  readonly mergeKey?: string;
  /** `any` only: the schema that a value follows all the same, by what it is. */
  readonly choose?: (value: unknown) => SchemaNode | undefined;
}

/** A declaration of a field or object whose JSON value has the static type `T`. */
export interface Schema<T, Required extends boolean = boolean> extends SchemaNode {
  readonly required?: Required;
  /** Carries the type only; never set. */
  readonly valueType?: T;
}

export type TypeOf<S> = S extends { readonly valueType?: infer T } ? Exclude<T, undefined> : never;

type Fields = Record<string, Schema<unknown>>;
type Flat<T> = { [K in keyof T]: T[K] };
type TypeOfFields<F extends Fields> = Flat<
  { -readonly [K in keyof F as F[K] extends Schema<unknown, true> ? K : never]: TypeOf<F[K]> } & {
    -readonly [K in keyof F as F[K] extends Schema<unknown, true> ? never : K]?: TypeOf<F[K]>;
  }
>;
type Optional<T> = Schema<T, false>;

export const string = (traits?: Traits<string>): Optional<string> => ({ type: 'string', ...traits });
export const integer = (traits?: Traits<number>): Optional<number> => ({ type: 'integer', ...traits });
export const number = (traits?: Traits<number>): Optional<number> => ({ type: 'number', ...traits });
export const boolean = (traits?: Traits<boolean>): Optional<boolean> => ({ type: 'boolean', ...traits });
/** RFC 3339 in whole seconds. */
export const time = (traits?: Traits<string>): Optional<string> => ({ type: 'time', ...traits });
/** RFC 3339 with microseconds. */
export const microTime = (traits?: Traits<string>): Optional<string> => ({ type: 'microTime', ...traits });
/** Base64 text. */
export const bytes = (traits?: Traits<string>): Optional<string> => ({ type: 'bytes', ...traits });
/** `500m`, `1Gi`; a JSON number is taken too and turned into its text. */
export const quantity = (traits?: Traits<string>): Optional<string> => ({ type: 'quantity', ...traits });
export const intOrString = (traits?: Traits<number | string>): Optional<number | string> => ({
  type: 'intOrString',
  ...traits,
});
/** Any JSON; nothing inside is pruned or checked. */
export const any = (traits?: Traits<unknown>): Optional<unknown> => ({ type: 'any', ...traits });

/** A string that must be one of `values`. */
export const oneOf = <const V extends string>(
  values: readonly V[],
  traits?: Traits<V> & { inOrder?: true },
): Optional<V> => ({
  type: 'string',
  values,
  ...traits,
});

/** An object with known fields; `name` is its OpenAPI component. */
export const object = <const F extends Fields>(
  name: string,
  fields: F,
  traits?: Traits<TypeOfFields<F>> & { listType?: 'atomic'; retainKeys?: boolean },
): Optional<TypeOfFields<F>> & { readonly fields: F } => ({ type: 'object', name, fields, ...traits });

export const map = <T>(
  item: Schema<T>,
  traits?: Traits<Record<string, T>> & { listType?: 'atomic' },
): Optional<Record<string, T>> => ({ type: 'map', item, ...traits });

/** A list that every writer replaces as a whole. */
export const list = <T>(item: Schema<T>, traits?: Traits<T[]> & { mergeKey?: string }): Optional<T[]> => ({
  type: 'list',
  item,
  listType: 'atomic',
  ...traits,
});

/** A list of distinct primitive values, merged value by value. */
export const setList = <T extends string | number>(
  item: Schema<T>,
  traits?: Traits<T[]> & { mergeKey?: '' | undefined },
): Optional<T[]> => ({ type: 'list', item, listType: 'set', mergeKey: '', ...traits });

/** A list whose items are known by `keys`; a strategic merge patch uses the first unless `mergeKey` says otherwise. */
export const keyedList = <T>(
  keys: readonly (keyof T & string)[],
  item: Schema<T>,
  traits?: Traits<T[]> & { mergeKey?: (keyof T & string) | undefined },
): Optional<T[]> => ({ type: 'list', item, listType: 'map', listKeys: keys, mergeKey: keys[0]!, ...traits });

/** The same field, which must be present. */
export const required = <T>(schema: Schema<T>): Schema<T, true> => ({
  ...schema,
  base: schema.base ?? schema,
  required: true,
});

/** The same schema with more said about it. */
export const refine = <T, R extends boolean>(schema: Schema<T, R>, traits: Traits<T>): Schema<T, R> => ({
  ...schema,
  base: schema.base ?? schema,
  ...traits,
});
