import { canonicalQuantity } from './quantity.ts';
import type { SchemaNode } from './schema.ts';

interface Place {
  struct: string;
  go: string;
  fail(why: string): never;
}

/** Whether it is a scalar that is decoded as it is. */
export function isCanonical({ type }: SchemaNode, value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return type === 'string' || type === 'intOrString';
    case 'boolean':
      return type === 'boolean';
    case 'number':
      return (
        type === 'number' || ((type === 'integer' || type === 'intOrString') && Number.isSafeInteger(value))
      );
    default:
      return false;
  }
}

/** A scalar in its canonical form; calls `place.fail` with what Go's JSON decoder would say. */
export function decodeScalar(schema: SchemaNode, value: unknown, place: Place): unknown {
  const isText = typeof value === 'string';
  const isInteger = typeof value === 'number' && Number.isSafeInteger(value);
  switch (schema.type) {
    case 'string':
      if (isText) return value;
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'integer':
      if (isInteger) return value;
      break;
    case 'number':
      if (typeof value === 'number') return value;
      break;
    case 'intOrString':
      if (isText || isInteger) return value;
      break;
    case 'quantity':
      if (isText || typeof value === 'number') return decodeQuantity(value, place);
      break;
    case 'bytes':
      if (isText) return decodeBytes(value, place);
      break;
    case 'time':
    case 'microTime':
      if (isText) return decodeTime(value, schema.type, place);
      break;
    default:
  }
  return place.fail(typeMismatch(schema, value, place));
}

export function typeMismatch(schema: SchemaNode, value: unknown, place: Place): string {
  const what = typeof value === 'number' && schema.type === 'integer' ? `number ${value}` : jsonTypeOf(value);
  const into = place.go === '' ? 'Go value' : `Go struct field ${place.struct}.${place.go}`;
  return `json: cannot unmarshal ${what} into ${into} of type ${goType(schema)}`;
}

export function jsonTypeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function goType(schema: SchemaNode): string {
  switch (schema.type) {
    case 'object':
      return schema.name?.split('.').slice(-2).join('.') ?? 'object';
    case 'list':
      return `[]${goType(schema.item!)}`;
    case 'map':
      return `map[string]${goType(schema.item!)}`;
    case 'integer':
      return 'int32';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'bytes':
      return '[]uint8';
    case 'intOrString':
      return 'intstr.IntOrString';
    case 'quantity':
      return 'resource.Quantity';
    case 'time':
      return 'v1.Time';
    case 'microTime':
      return 'v1.MicroTime';
    default:
      return 'string';
  }
}

function decodeQuantity(value: string | number, place: Place): string {
  try {
    return canonicalQuantity(value);
  } catch (error) {
    return place.fail((error as RangeError).message);
  }
}

function decodeBytes(value: string, place: Place): string {
  const text = value.replace(/[\r\n]/g, '');
  const wrong = /[^A-Za-z0-9+/=]/.exec(text)?.index ?? (/^[^=]*={0,2}$/.test(text) ? -1 : text.indexOf('='));
  if (wrong >= 0) return place.fail(`illegal base64 data at input byte ${wrong}`);
  if (text.length % 4 !== 0)
    return place.fail(`illegal base64 data at input byte ${text.length - (text.length % 4)}`);
  return text;
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function decodeTime(value: string, type: 'time' | 'microTime', place: Place): string {
  const ms = rfc3339.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) {
    return place.fail(
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse it as an RFC 3339 time`,
    );
  }
  const whole = new Date(ms).toISOString().slice(0, 19);
  if (type === 'time') return `${whole}Z`;
  const fraction = /\.(\d+)/.exec(value)?.[1] ?? '';
  return `${whole}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}
