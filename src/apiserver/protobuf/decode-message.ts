import type { SchemaNode } from '../../api/schema.ts';
import { toMicroTime, toTime } from '../../base/clock.ts';
import { badRequest } from '../failures.ts';
import { fieldNumbers } from './field-numbers.ts';
import { readFields, toBytes, toInteger, toText } from './wire.ts';

type Fields = Record<string, unknown>;

/** More nesting than any Kubernetes type has. */
const depthMax = 64;

/**
 * Turns a protobuf message into the JSON object that says the same, by the schema's field names and types.
 * Go writes every field that is no pointer, set or not; those at their zero value are left out, as in its JSON.
 */
export function decodeMessage(schema: SchemaNode, bytes: Buffer): Fields {
  const decoded: Fields = {};
  decodeInto(decoded, schema, messageOf(schema.name ?? ''), bytes, 0);
  return decoded;
}

function decodeInto(into: Fields, schema: SchemaNode, message: Message, bytes: Buffer, depth: number): void {
  if (depth > depthMax) throw badRequest(`the protobuf body nests deeper than ${depthMax} levels`);
  for (const { number, value } of readFields(bytes)) {
    const numbered = message.fields.get(number);
    if (numbered === undefined) continue;
    const { name, isPointer } = numbered;
    if (name.startsWith('@')) {
      decodeInto(into, schema, messageOf(`${message.package}.${name.slice(1)}`), toBytes(value), depth + 1);
      continue;
    }
    const field = schema.fields?.[name];
    if (field === undefined) continue;
    if (field.type === 'list') {
      into[name] ??= [];
      (into[name] as unknown[]).push(decodeValue(field.item!, value, depth));
    } else if (field.type === 'map') {
      const { key, item } = decodeEntry(field.item!, toBytes(value), depth);
      into[name] = { ...(into[name] as Fields | undefined), [key]: item };
    } else {
      const decoded = decodeValue(field, value, depth);
      if (!isUnset(decoded, isPointer)) into[name] = decoded;
    }
  }
}

function decodeEntry(item: SchemaNode, bytes: Buffer, depth: number): { key: string; item: unknown } {
  let key = '';
  let decoded: unknown = item.type === 'string' ? '' : item.type === 'list' ? [] : undefined;
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) key = toText(value);
    if (number !== 2) continue;
    // A map of lists has a message around each list, with the items as its first field.
    decoded =
      item.type === 'list'
        ? [...readFields(toBytes(value))].map((one) => decodeValue(item.item!, one.value, depth))
        : decodeValue(item, value, depth);
  }
  return { key, item: decoded };
}

function decodeValue(schema: SchemaNode, value: bigint | Buffer, depth: number): unknown {
  switch (schema.type) {
    case 'string':
      return toText(value);
    case 'integer':
      return toInteger(value);
    case 'number':
      return typeof value !== 'bigint' && value.length === 8 ? value.readDoubleLE() : toInteger(value);
    case 'boolean':
      return toInteger(value) !== 0;
    case 'bytes':
      return toBytes(value).toString('base64');
    case 'quantity':
      return [...readFields(toBytes(value))].map((field) => toText(field.value)).at(-1) ?? '';
    case 'intOrString':
      return decodeIntOrString(toBytes(value));
    case 'time':
    case 'microTime':
      return decodeTime(schema.type, toBytes(value));
    case 'object': {
      const decoded: Fields = {};
      decodeInto(decoded, schema, messageOf(schema.name ?? ''), toBytes(value), depth + 1);
      return decoded;
    }
    case 'any':
      return decodeRaw(toBytes(value));
    default:
      return undefined;
  }
}

/** What has no type of its own (`RawExtension`, `FieldsV1`, `JSON`) is a message with JSON text in its first field. */
function decodeRaw(bytes: Buffer): unknown {
  const raw = [...readFields(bytes)].find(({ number }) => number === 1);
  if (!raw) return undefined;
  try {
    return JSON.parse(toText(raw.value));
  } catch (error) {
    throw badRequest('the protobuf body holds something in a field of any type that is no JSON', error);
  }
}

/** `type` 0 is the number in field 2, 1 is the text in field 3. */
function decodeIntOrString(bytes: Buffer): number | string {
  let isText = false;
  let number = 0;
  let text = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) isText = toInteger(field.value) === 1;
    if (field.number === 2) number = toInteger(field.value);
    if (field.number === 3) text = toText(field.value);
  }
  return isText ? text : number;
}

/** Seconds and nanoseconds since 1970; no seconds at all is Go's zero time, which JSON has as null. */
function decodeTime(type: 'time' | 'microTime', bytes: Buffer): string | undefined {
  let seconds: number | undefined;
  let nanos = 0;
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) seconds = toInteger(value);
    if (number === 2) nanos = toInteger(value);
  }
  if (seconds === undefined) return undefined;
  const ms = seconds * 1000 + nanos / 1e6;
  if (Math.abs(ms) > 8.64e15) throw badRequest('the protobuf body has a time that is out of range');
  return type === 'time' ? toTime(ms) : toMicroTime(ms);
}

/** A zero, or no text, only fills a field in, unless the field is a pointer in Go. */
function isUnset(value: unknown, isPointer: boolean): boolean {
  if (value === undefined) return true;
  return (value === 0 || value === false || value === '') && !isPointer;
}

interface Message {
  package: string;
  fields: Map<number, { name: string; isPointer: boolean }>;
}

const messages = new Map<string, Message>();

function messageOf(fullName: string): Message {
  let message = messages.get(fullName);
  if (!message) {
    const at = fullName.lastIndexOf('.');
    const fields: Message['fields'] = new Map();
    let number = 0;
    for (const token of (fieldNumbers[fullName.slice(0, at)]?.[fullName.slice(at + 1)] ?? '').split(' ')) {
      const numbered = /^(\d+):(.+)$/.exec(token);
      number = numbered ? Number(numbered[1]) : number + 1;
      const text = numbered ? numbered[2]! : token;
      if (text !== '') fields.set(number, { name: text.replace('*', ''), isPointer: text.endsWith('*') });
    }
    message = { package: fullName.slice(0, at), fields };
    messages.set(fullName, message);
  }
  return message;
}
