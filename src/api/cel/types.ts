/** The type of a CEL expression or variable. Bounds (`maxElements`) are for cost estimates, the rest for reading JSON. */
export type CelType =
  | { readonly kind: SimpleKind; readonly maxElements?: number; readonly format?: 'date' | 'byte' }
  | {
      readonly kind: 'list';
      readonly item: CelType;
      readonly maxElements?: number;
      readonly merge?: ListMerge;
    }
  | {
      readonly kind: 'map';
      readonly key: CelType;
      readonly value: CelType;
      readonly maxElements?: number;
    }
  | {
      readonly kind: 'object';
      readonly name: string;
      /** By escaped name; see escape.ts. */
      readonly fields: ReadonlyMap<string, CelField>;
      readonly maxElements?: number;
    }
  /** A type of a library, such as `optional_type(int)` or `kubernetes.Quantity`. */
  | { readonly kind: 'opaque'; readonly name: string; readonly parameters: readonly CelType[] }
  | { readonly kind: 'type'; readonly of?: CelType }
  /** A wrapper of a primitive: the primitive or null. */
  | { readonly kind: 'wrapper'; readonly of: CelType }
  | { readonly kind: 'parameter'; readonly name: string };

export type SimpleKind =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration';

/** A field of an object type. */
export interface CelField {
  readonly type: CelType;
  /** The property in the JSON data, before escaping. */
  readonly property: string;
}

/** `x-kubernetes-list-type`: equality and `+` of sets and keyed lists ignore the order. */
export type ListMerge = { readonly type: 'set' } | { readonly type: 'map'; readonly keys: readonly string[] };

const simple = (kind: SimpleKind): CelType => ({ kind });

export const dynType = simple('dyn');
export const errorType = simple('error');
export const nullType = simple('null');
export const boolType = simple('bool');
export const intType = simple('int');
export const uintType = simple('uint');
export const doubleType = simple('double');
export const stringType = simple('string');
export const bytesType = simple('bytes');
export const timestampType = simple('timestamp');
export const durationType = simple('duration');
export const typeType: CelType = { kind: 'type' };

export const listOf = (item: CelType): CelType => ({ kind: 'list', item });
export const mapOf = (key: CelType, value: CelType): CelType => ({ kind: 'map', key, value });
export const opaque = (name: string, ...parameters: CelType[]): CelType => ({
  kind: 'opaque',
  name,
  parameters,
});
export const optionalOf = (type: CelType): CelType => opaque('optional_type', type);
export const parameter = (name: string): CelType => ({ kind: 'parameter', name });
export const typeOfType = (of: CelType): CelType => ({ kind: 'type', of });

/** An object type with fields whose names need no escaping, such as `request` of an admission policy. */
export function objectType(name: string, fields: Record<string, CelType>): CelType {
  return {
    kind: 'object',
    name,
    fields: new Map(Object.entries(fields).map(([property, type]) => [property, { type, property }])),
  };
}

export const isOptional = (type: CelType): type is Extract<CelType, { kind: 'opaque' }> =>
  type.kind === 'opaque' && type.name === 'optional_type';

/** As cel-go writes types in its messages. */
export function formatType(type: CelType): string {
  switch (type.kind) {
    case 'list':
      return `list(${formatType(type.item)})`;
    case 'map':
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case 'object':
      return type.name;
    case 'opaque':
      return type.parameters.length === 0
        ? type.name
        : `${type.name}(${type.parameters.map(formatType).join(', ')})`;
    case 'type':
      return type.of === undefined ? 'type' : `type(${formatType(type.of)})`;
    case 'wrapper':
      return `wrapper(${formatType(type.of)})`;
    case 'parameter':
      return type.name;
    case 'error':
      return '!error!';
    default:
      return type.kind;
  }
}
